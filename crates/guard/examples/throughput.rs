//! How many connections a second the guard takes on one core, over a made-up day.
//!
//! `cargo run --release -p palisade-guard --example throughput [CONNECTIONS]`: what `palisade bench flows --case detectors` measures, in a
//! program that is built in a minute, for a profiler.

use std::time::Instant;

use palisade_guard::{Connection, Guard, day};

fn main() {
    let count: u64 =
        std::env::args().nth(1).map_or(3_000_000, |text| text.parse().expect("a number of connections"));
    let connections: Vec<Connection> = day(count).collect();
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    let begun = Instant::now();
    guard.observe_all(&connections, &mut alerts);
    guard.finish(&mut alerts);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{count} connections in {seconds:.2} s: {:.2} million a second", count as f64 / seconds / 1e6);
    println!("{} alerts; lost: {:?}", alerts.len(), guard.losses());
}
