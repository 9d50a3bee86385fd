//! Records that tests make up.

use std::{net::IpAddr, sync::Arc};

use palisade_flowstore::{Kind, Labels, Record};
use palisade_model::{FlowLogFormat, FlowTraffic};
use palisade_net::{Direction, Protocol};
use proptest::prelude::*;

/// 2026-11-22T13:00:00Z.
pub const START_MS: u64 = 1_795_352_400_000;

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        4 => (0..40_u8).prop_map(|last| IpAddr::from([10, 0, 1, last])),
        1 => any::<[u8; 4]>().prop_map(IpAddr::from),
        1 => any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![2 => Just(None), 3 => "[a-c/]{0,3}".prop_map(Some), 1 => ".{0,9}".prop_map(Some)]
}

prop_compose! {
    fn labels()(
        format in prop::sample::select(FlowLogFormat::ALL.to_vec()),
        texts in prop::collection::vec(text(), 14),
        slot in any::<Option<u32>>(),
    ) -> Arc<Labels> {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().flatten();
        Arc::new(Labels {
            format, nic: next(), nic_id: next(), interface: next(), slot, mac: next(), resource: next(), layer: next(), nsg: next(),
            rule: next(), rules: next(), reason: next(), cause: next(), state: next(), encryption: next(), log: next(),
        })
    }
}

fn traffic() -> impl Strategy<Value = Option<FlowTraffic>> {
    let count = || prop_oneof![3 => 0..1_000_u64, 1 => Just(i64::MAX as u64)];
    prop::option::of((count(), count(), count(), count())).prop_map(|counts| {
        let (packets_to_destination, bytes_to_destination, packets_to_source, bytes_to_source) = counts?;
        Some(FlowTraffic { packets_to_destination, bytes_to_destination, packets_to_source, bytes_to_source })
    })
}

prop_compose! {
    /// A record of one of these labels.
    fn record(known: Vec<Arc<Labels>>)(
        time_ms in prop_oneof![8 => START_MS..START_MS + 4 * 3_600_000, 1 => 0..Record::TIME_MS_MAX],
        kind in prop::sample::select(Kind::ALL.to_vec()),
        (began_ms, last_ms) in prop::option::of((START_MS - 10_000..START_MS, START_MS..START_MS + 10)).prop_map(Option::unzip),
        direction in prop::sample::select(Direction::ALL.to_vec()),
        protocol in any::<u8>().prop_map(Protocol),
        (local, remote, ports) in (address(), address(), (prop_oneof![Just(22), Just(443), any::<u16>()], any::<u16>())),
        (icmp_type, icmp_code) in any::<(Option<u8>, Option<u8>)>(),
        (since, total) in (traffic(), traffic()),
        tcp_flags in any::<[Option<u8>; 2]>(),
        generation in prop::option::of(0..i64::MAX as u64),
        (audited, midstream) in any::<(Option<bool>, Option<bool>)>(),
        place in any::<Option<(u32, u32)>>(),
        tuple in text(),
        labels in prop::sample::select(known),
    ) -> Record {
        Record {
            time_ms, kind, began_ms, last_ms, direction, protocol, local: (local, ports.0), remote: (remote, ports.1), icmp_type, icmp_code,
            since, total, tcp_flags, generation, audited, midstream, place, tuple: tuple.map(String::into_boxed_str), labels,
        }
    }
}

/// Up to so many records, most of four hours.
pub fn records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(labels(), 1..6)
        .prop_flat_map(move |known| prop::collection::vec(record(known), 1..most))
}
