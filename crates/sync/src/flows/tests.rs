use prost::Message as _;

use super::*;
use crate::FlowRule;

fn line(number: u64) -> FlowLine {
    let address = |last: u64| match number % 2 {
        0 => format!("10.0.0.{}", last % 256).parse::<IpAddr>().unwrap(),
        _ => format!("2001:db8::{last:x}").parse().unwrap(),
    };
    let time_ms = 1_800_000_000_000 + number * 7 % 50;
    FlowLine {
        time_ms,
        began_ms: (!number.is_multiple_of(3)).then(|| time_ms - number),
        last_ms: number.is_multiple_of(5).then_some(time_ms),
        source: (address(number), number as u16),
        destination: (address(number + 1), 443),
        tcp_flags: [number as u8, 18],
        packets: [number, u64::MAX - number],
        bytes: [number << 40, 0],
    }
}

fn batch(records: u64) -> FlowBatch {
    let shape = |kind: &str| FlowShape {
        kind: kind.to_owned(),
        rules: vec![FlowRule { rule: "securityRules/a".to_owned(), ..FlowRule::default() }],
        ..FlowShape::default()
    };
    let mut batch = FlowBatch { shapes: vec![shape("begin"), shape("end")], ..FlowBatch::default() };
    (0..records).for_each(|number| batch.push((number % 2) as u32, &line(number)));
    batch
}

#[test]
fn what_was_put_in_comes_out() {
    let mut sent = batch(1_000);
    sent.push_lost(5, 77, "spool");
    let received = FlowBatch::decode(&sent.encode_to_vec()[..]).unwrap();
    received.check().unwrap();
    let lines: Vec<_> = received.lines().collect();
    for (number, (shape, found)) in lines[..1_000].iter().enumerate() {
        assert_eq!(*found, line(number as u64));
        assert_eq!(shape.kind, ["begin", "end"][number % 2]);
    }
    let (shape, lost) = &lines[1_000];
    assert_eq!((&shape.kind[..], &shape.reason[..]), (LOST, "spool"));
    assert_eq!((lost.time_ms, lost.packets[0], lost.began_ms), (5, 77, None));
    FlowBatch::default().check().unwrap();
}

/// Whatever column a broken agent cuts off or adds to, the batch is refused and nothing is read past an end.
#[test]
fn columns_that_do_not_fit_are_refused() {
    type Break = fn(&mut FlowBatch);
    let breaks: [Break; 14] = [
        |batch| batch.time.truncate(2),
        |batch| batch.age.truncate(2),
        |batch| batch.quiet.push(0),
        |batch| batch.source.truncate(16),
        |batch| batch.destination.push(0),
        |batch| batch.source_port.truncate(2),
        |batch| batch.destination_port.truncate(2),
        |batch| batch.flags_to_destination.truncate(2),
        |batch| batch.flags_to_source.truncate(2),
        |batch| batch.packets_to_destination.truncate(2),
        |batch| batch.packets_to_source.truncate(2),
        |batch| batch.bytes_to_destination.truncate(2),
        |batch| batch.bytes_to_source.truncate(2),
        |batch| batch.shape[1] = 2,
    ];
    for (number, broken) in breaks.into_iter().enumerate() {
        let mut batch = batch(3);
        broken(&mut batch);
        assert!(batch.check().is_err(), "{number}");
    }
    let mut odd = batch(3);
    odd.source.pop();
    assert!(odd.check().is_err(), "an address that is not whole");
    assert!(batch(FLOW_RECORDS_MAX as u64 + 1).check().is_err());
    let mut shapes = batch(1);
    shapes.shapes.resize(FLOW_SHAPES_MAX + 1, FlowShape::default());
    assert!(shapes.check().is_err());
}
