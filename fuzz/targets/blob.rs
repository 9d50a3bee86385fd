//! The check of policy blobs: bytes that pass it never lead a lookup astray.
//!
//! An input is a list of changes to a blob that was compiled here, so that it starts out sound whatever the layout's
//! version is: a byte that picks the blob, then six bytes a change: which word, and its new value. An input that starts
//! with 255 is taken as a blob itself.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use palisade_classify::{
    blob::{BlobView, compile},
    generate::{edge_rows, flows},
    table::Limits,
};
use palisade_net::Flow;

const RAW: u8 = 255;

struct Sample {
    blob: Vec<u8>,
    flows: Vec<Flow>,
}

/// Blobs of one, two and three words a vector, and one without rules.
static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let sample = |(count, seed)| {
        let rows = edge_rows(count, seed);
        let blob = compile(&rows, &Limits::default()).expect("a few rows are within the limits");
        Sample { blob, flows: flows(&rows, 64, seed) }
    };
    [(0, 1), (12, 2), (70, 3), (130, 4)].into_iter().map(sample).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((&pick, rest)) = input.split_first() else { return };
    let sample = &SAMPLES[usize::from(pick) % SAMPLES.len()];
    let blob = if pick == RAW { rest.to_vec() } else { changed(&sample.blob, rest) };
    let Ok(view) = BlobView::parse(&blob) else {
        assert!(blob != sample.blob, "a compiled blob is refused");
        return;
    };
    for flow in &sample.flows {
        for now in [0, 1_000, u32::MAX] {
            if let Some((rule, action)) = view.lookup(flow, now).rule {
                assert!(rule < view.rules());
                assert_eq!(view.action(rule), Some(action));
            }
            view.fragment(flow.source(), flow.destination(), flow.protocol(), now);
        }
    }
});

fn changed(sound: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut blob = sound.to_vec();
    for change in changes.chunks_exact(6) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) * 4 % (blob.len() & !3);
        blob[at..at + 4].copy_from_slice(&change[2..]);
    }
    blob
}
