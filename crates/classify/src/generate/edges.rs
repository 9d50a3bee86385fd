//! Rule lists that reach every corner: empty and full sets, single numbers, both ends of every space, every protocol.
//!
//! Values are drawn from a small stock, so that rules overlap, touch and repeat each other.

use palisade_abi::verdict::Action;
use palisade_model::Window;
use palisade_net::{AddressSet, Number, PortSet, Protocol, ProtocolMatch, RangeSet};

use super::Random;
use crate::Row;

/// `count` rows of which most match something and none is likely to hide all others.
pub fn edge_rows(count: usize, seed: u64) -> Vec<Row> {
    let mut random = Random::new(seed);
    let stock = Stock::new(&mut random);
    (0..count).map(|_| stock.row(&mut random)).collect()
}

/// Numbers at which ranges begin and end.
struct Stock {
    v4: Vec<u32>,
    v6: Vec<u128>,
    ports: Vec<u16>,
    types: Vec<u16>,
}

impl Stock {
    fn new(random: &mut Random) -> Self {
        let mut v4 = vec![0, 1, 0x7fff_ffff, 0x8000_0000, 0x0a00_0000, 0x0aff_ffff, u32::MAX - 1, u32::MAX];
        let mut v6 = vec![0, 1, u128::from(u64::MAX), 1 << 64, 0x2001_0db8 << 96, u128::MAX - 1, u128::MAX];
        let mut ports =
            vec![0, 1, 22, 80, 255, 256, 443, 511, 512, 0x7fff, 0x8000, 65_279, 65_280, 65_534, 65_535];
        v4.extend((0..24).map(|_| random.v4()));
        v6.extend((0..24).map(|_| random.v6()));
        ports.extend((0..12).map(|_| random.port()));
        Self { v4, v6, ports, types: vec![0, 3, 8, 11, 128, 129, 135, 255] }
    }

    fn row(&self, random: &mut Random) -> Row {
        let protocol = match random.below(16) {
            0..3 => ProtocolMatch::Any,
            3..6 => ProtocolMatch::TCP,
            6..9 => ProtocolMatch::UDP,
            9..12 => ProtocolMatch::Icmp,
            12 => ProtocolMatch::Number(Protocol::ICMP),
            13 => ProtocolMatch::Number(Protocol::ICMPV6),
            14 => ProtocolMatch::Number(*random.pick(&[
                Protocol(0),
                Protocol::ESP,
                Protocol::AH,
                Protocol(255),
            ])),
            _ => ProtocolMatch::Number(Protocol(random.port() as u8)),
        };
        let by_type = matches!(protocol, ProtocolMatch::Icmp) && random.chance(80);
        let ports = if by_type { &self.types } else { &self.ports };
        Row {
            protocol,
            sources: self.addresses(random),
            source_ports: if random.chance(75) { PortSet::full() } else { set(random, &self.ports) },
            destinations: self.addresses(random),
            destination_ports: if random.chance(40) { PortSet::full() } else { set(random, ports) },
            action: *random.pick(Action::ALL),
            window: if random.chance(80) { Window::ALWAYS } else { window(random) },
            audit: random.chance(15),
        }
    }

    fn addresses(&self, random: &mut Random) -> AddressSet {
        AddressSet::from_ranges(set(random, &self.v4), set(random, &self.v6))
    }
}

/// Seconds at which windows begin and end.
const TIMES: [u32; 8] = [0, 1, 2, 1_000, 1_800_000_000, 1_800_000_001, u32::MAX - 1, u32::MAX];

/// A window with one or two ends.
fn window(random: &mut Random) -> Window {
    let mut end = || random.chance(70).then(|| *random.pick(&TIMES));
    Window::new(end(), end()).unwrap_or_default()
}

/// No number, all numbers, or up to four ranges whose ends are in the stock or beside it.
fn set<T: Number>(random: &mut Random, stock: &[T]) -> RangeSet<T> {
    match random.below(20) {
        0 => RangeSet::empty(),
        1..5 => RangeSet::full(),
        _ => {
            let ranges = 1 + random.below(4);
            let range = |_| {
                let first = near(random, stock);
                let last = if random.chance(30) { first } else { near(random, stock) };
                (first.min(last), first.max(last))
            };
            (0..ranges).map(range).collect()
        }
    }
}

/// A number of the stock or a neighbour of it.
fn near<T: Number>(random: &mut Random, stock: &[T]) -> T {
    let number = *random.pick(stock);
    match random.below(4) {
        0 => number.next().unwrap_or(number),
        1 => number.previous().unwrap_or(number),
        _ => number,
    }
}
