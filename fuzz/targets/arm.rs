//! A file of any shape goes the whole way of an estate: read, evaluated, validated, resolved, compiled, asked.
//!
//! Nothing may panic on the way, the compiled form must answer as the rules themselves do whenever it is asked, and the blobs
//! for the kernel program must be proven to do so too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_arm::{
    estate::{Document, Options, read},
    service_tags,
};
use palisade_classify::{
    Engine,
    blob::BlobView,
    enforce::{self, EnforceError},
    generate::{flows, moments},
    lower, oracle,
};
use palisade_model::{EffectivePolicy, Estate, TagCatalog};
use palisade_net::Direction;

/// Flows at the edges of the rules, for each layer of each direction.
const FLOWS: usize = 12;

fuzz_target!(|text: &str| {
    let _ = service_tags::read(text);
    let result = read(&[Document::new("input.json", text)], &Options::default());
    let (Some(estate), _) = Estate::validate(&result.spec, TagCatalog::default()) else { return };
    for nic in estate.nics() {
        judge(&estate.effective(nic));
    }
    for nsg in estate.nsgs() {
        judge(&estate.effective_alone(nsg, None));
    }
});

fn judge(policy: &EffectivePolicy) {
    match enforce::compile(policy) {
        Ok(blobs) => {
            for blob in blobs.inbound.iter().chain(&blobs.outbound).flatten() {
                BlobView::parse(&blob.blob).expect("a compiled blob is sound");
            }
        }
        Err(error @ EnforceError::Disproof { .. }) => panic!("{error}"),
        // What is not known, or too large, is no fault.
        Err(_) => {}
    }
    let Ok(engine) = Engine::new(policy.clone()) else { return };
    for direction in Direction::ALL {
        for layer in lower::layers(policy, direction) {
            // Each flow at one of the moments at which a window of the layer begins or ends.
            let times = moments(&layer.rows).into_iter().cycle();
            for (flow, now) in flows(&layer.rows, FLOWS, 1).iter().zip(times) {
                assert_eq!(engine.decide(flow, now), oracle::decide(policy, flow, now), "{flow:?} at {now}");
            }
        }
    }
}
