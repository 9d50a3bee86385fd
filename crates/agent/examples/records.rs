//! How many records a second one core takes from the kernel's ring to a batch as it is spooled and sent.
//!
//! `records [ROUNDS]` lets the kernel program judge packets that begin flows until the ring holds 25,000 events, and then times
//! what the agent does with them: read, name, fill batches, encode. It needs root. Nothing is attached to any interface.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use palisade_abi::event::EventKind;
use palisade_abi::flow::Direction;
use palisade_agent::events::{Moment, NameBook, Record};
use palisade_agent::records::Encoder;
use palisade_datapath::{Config, Datapath, Guards, NicPolicy, Plane, Sizes, TestPacket};
use palisade_net::packet::{Packet, TcpFlags, Transport};
use prost::Message as _;

/// The loopback interface: test runs need one that exists.
const LOOPBACK: u32 = 1;
/// Events of a round: fewer than the ring holds.
const EVENTS: u32 = 25_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(30), |text| text.parse())?;
    let pins = format!("/sys/fs/bpf/palisade/records-{}", std::process::id());
    let mut config = Config::new(&pins);
    config.sizes = Sizes { flows: 2 * EVENTS, slots: 4 };
    let mut datapath = Datapath::open(&config)?;
    let measured = measure(&mut datapath, rounds);
    drop(datapath);
    std::fs::remove_dir_all(pins)?;
    let (records, bytes, taken) = measured?;
    println!(
        "{records} records in {taken:?}: {:.2} million a second, {:.1} bytes each",
        records as f64 / taken.as_secs_f64() / 1e6,
        bytes as f64 / records as f64
    );
    Ok(())
}

fn measure(datapath: &mut Datapath, rounds: u32) -> Result<(u64, u64, Duration), Box<dyn std::error::Error>> {
    let nic = NicPolicy { guards: Guards::NONE, ..NicPolicy::new(LOOPBACK, 1) };
    datapath.publish(&[nic])?;
    datapath.set_events(EventKind::ALL);
    let frames: Vec<_> = (0..EVENTS).map(frame).collect::<Result<_, _>>()?;
    let book = NameBook::default();
    let (mut encoder, mut records, mut bytes, mut taken) = (Encoder::default(), 0, 0, Duration::ZERO);
    for _ in 0..rounds {
        datapath.clear_flows()?;
        let packet =
            |bytes| TestPacket { direction: Direction::Inbound, ifindex: LOOPBACK, bytes, segments: (0, 0) };
        datapath.run_packets(frames.iter().map(|frame| packet(&frame[..])))?;
        let begin = Instant::now();
        let moment = Moment { tick: datapath.tick()?, ticks_per_second: 250, wall_ms: 1_800_000_000_000 };
        records += datapath.drain_events(usize::MAX, &mut |event| {
            encoder.add(&Record::of_event(&event, &moment), &book);
            if encoder.is_full() {
                bytes += encoder.take().encode_to_vec().len() as u64;
            }
        }) as u64;
        bytes += encoder.take().encode_to_vec().len() as u64;
        taken += begin.elapsed();
    }
    Ok((records, bytes, taken))
}

/// The SYN of one of many connections.
fn frame(number: u32) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let source = Ipv4Addr::from(0xc000_0200 + (number >> 12));
    let transport = Transport::Tcp {
        source_port: 1_024 + (number & 0xfff) as u16,
        destination_port: 443,
        flags: TcpFlags::SYN,
    };
    Ok(Packet::new(source.into(), Ipv4Addr::new(10, 0, 0, 4).into(), transport).build()?)
}
