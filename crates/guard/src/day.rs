//! A made-up day of connections, for whoever measures what the detectors take.
//!
//! 300 machines. Each has 40 destinations that all have, and 60 of its own; 20 of them serve 20,000 clients, which come back; 15 of 100
//! connections are the noise of the internet, of 1,000 sources, 3 are guesses at remote desktops, and 2 are refused. It is always the same
//! day.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};

use crate::{Connection, Outcome, Stage};

/// When the day begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_700_000_000_000;
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

/// So many connections, in the order of their ends.
pub fn day(count: u64) -> impl Iterator<Item = Connection> {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    (0..count).map(move |n| connection(&mut numbers, BEGIN_MS + n * DAY_MS / count))
}
