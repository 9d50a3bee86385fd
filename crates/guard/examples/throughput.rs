//! How many connections a second the guard takes on one core, over a made-up day.
//!
//! `cargo run --release -p palisade-guard --example throughput [CONNECTIONS]`. The day has 300 machines. Each has 40 destinations that all
//! have, and 60 of its own; 20 of them serve 20,000 clients, which come back; 15 of 100 connections are the noise of the internet,
//! of 1,000 sources, 3 are guesses at remote desktops, and 2 are refused.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use palisade_guard::{Connection, Guard, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};

const DAY_MS: u64 = 86_400_000;

/// Marsaglia's xorshift: good enough for a load.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

fn address(base: u32, number: u64) -> IpAddr {
    Ipv4Addr::from_bits(base + u32::try_from(number).expect("small")).into()
}

fn connection(numbers: &mut Numbers, time_ms: u64) -> Connection {
    let of_machine = numbers.below(300);
    let mut machine = address(0x0a00_0000, of_machine);
    let (direction, other, port, outcome, packets) = match numbers.below(100) {
        // Out to a popular place, or to one of many.
        0..50 => (Direction::Outbound, address(0x0800_0000, numbers.below(40)), 443, Outcome::Answered, 20),
        50..60 => {
            let own = of_machine * 60 + numbers.below(60);
            (Direction::Outbound, address(0x1700_0000, own), 443, Outcome::Answered, 12)
        }
        60..80 => {
            machine = address(0x0a00_0000, of_machine % 20);
            let client = of_machine % 20 * 1_000 + numbers.below(1_000);
            (Direction::Inbound, address(0x2d00_0000, client), 443, Outcome::Answered, 15)
        }
        // The noise of the internet: each source has a port that it looks for.
        80..95 => {
            let source = numbers.below(1_000);
            let port = [22, 23, 445, 3389, 5_900][usize::try_from(source % 5).expect("small")];
            (Direction::Inbound, address(0x5000_0000, source), port, Outcome::Denied, 1)
        }
        95..98 => (Direction::Inbound, address(0x5100_0000, numbers.below(200)), 3389, Outcome::Answered, 9),
        _ => (Direction::Outbound, address(0x1800_0000, of_machine), 8_080, Outcome::Refused, 1),
    };
    let ends = match direction {
        Direction::Outbound => ((machine, 50_000), (other, port)),
        Direction::Inbound => ((other, 50_000), (machine, port)),
    };
    let flow = Flow::new(direction, Protocol::TCP, ends.0, ends.1).expect("one family");
    let back = if outcome == Outcome::Answered { packets } else { 0 };
    let traffic = Some(FlowTraffic {
        packets_to_destination: packets,
        bytes_to_destination: packets * (60 + numbers.below(400)),
        packets_to_source: back,
        bytes_to_source: back * (60 + numbers.below(1_200)),
    });
    let start_ms = time_ms.saturating_sub(numbers.below(30_000));
    Connection { start_ms, end_ms: time_ms, flow, outcome, traffic, stage: Stage::Over }
}

fn main() {
    let count: u64 =
        std::env::args().nth(1).map_or(3_000_000, |text| text.parse().expect("a number of connections"));
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let day: Vec<Connection> =
        (0..count).map(|n| connection(&mut numbers, 1_700_000_000_000 + n * DAY_MS / count)).collect();
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    let begun = Instant::now();
    day.iter().for_each(|connection| guard.observe(connection, &mut alerts));
    guard.finish(&mut alerts);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{count} connections in {seconds:.2} s: {:.2} million a second", count as f64 / seconds / 1e6);
    println!(
        "each connection has {} bytes, all of them {} MB",
        size_of::<Connection>(),
        count * size_of::<Connection>() as u64 / 1_000_000
    );
    println!("{} alerts; lost: {:?}", alerts.len(), guard.losses());
}
