//! A publisher that is killed again and again, under traffic: whatever moment it dies at, no verdict is wrong, no packet of an
//! allowed flow is lost, the next one takes over, and memory stays what it was.

use std::{env, net::SocketAddr, path::Path, thread, time::Duration};

use palisade_abi::verdict::Reason;
use palisade_classify::generate::Random;
use palisade_datapath::{Datapath, NicPolicy, Plane as _, Watch as _};

use crate::{
    children::{PUBLISH, Worker},
    namespace::Namespace,
    scene::{CLOSED, Host, SLOT, Scene, VM, config, guarded, layer},
    shared::link,
    traffic::{Beacon, Echo, Stream},
};

/// How many publishes there are to be; fewer than the full thousand, so that every run has time for them.
const PUBLISHES: &str = "PALISADE_TEST_PUBLISHES";
const PUBLISHES_DEFAULT: u64 = 300;
/// Distinct policies that are published in turn.
const POLICIES: u64 = 7;
const EVERY: Duration = Duration::from_millis(2);

/// The machine's policy `number`: TCP 80 and UDP 53 are allowed and UDP 54 is denied by all of them.
fn policy(number: u64) -> NicPolicy {
    let other = format!("allow tcp * * {}", 1000 + number % POLICIES);
    let mut nic = guarded(link::index("vm0"));
    nic.inbound[1] = Some(layer(&[&other, "allow tcp * * 80", "allow udp * * 53", "deny * * * *"]));
    nic.outbound[2] = Some(layer(CLOSED));
    nic
}

/// The process that publishes until it is killed.
pub fn work(pins: &Path) {
    let mut datapath = Datapath::open(&config(pins)).expect("the datapath opens");
    println!("opened at {}", datapath.generation());
    for number in datapath.generation().. {
        println!("generation {}", datapath.publish(&[policy(number)]).expect("the policy is published"));
    }
}

/// Lets one publish for a while and kills it; the last generation that it told of.
fn kill_one(host: &Namespace, pins: &Path, random: &mut Random) -> u64 {
    let mut worker = Worker::start(host, PUBLISH, pins);
    let mut generation = 0;
    if random.chance(80) {
        for _ in 0..1 + random.below(40) {
            generation = worker.hears("generation").parse().expect("a number");
        }
    }
    // No synchronisation: the moment is meant to be arbitrary.
    thread::sleep(Duration::from_micros(random.below(40_000) as u64));
    worker.kill();
    generation
}

#[test]
fn a_publisher_may_be_killed_at_any_moment() {
    let Some(scene) = Scene::open(Host::Bridge) else { return };
    let Scene { mut datapath, host, vm, peer, config, _pins, .. } = scene;
    let goal = env::var(PUBLISHES).ok().and_then(|text| text.parse().ok()).unwrap_or(PUBLISHES_DEFAULT);
    let mut generation = datapath.publish(&[policy(0)]).expect("the policy is published");
    let room = (datapath.blobs(), datapath.free_bytes());
    let _servers = [Echo::tcp(&vm, &[80]), Echo::udp(&vm, &[53, 54])];
    let [v4, v6] = VM.addresses();
    let beacon = |address, port| Beacon::start(&peer, SocketAddr::new(address, port), EVERY);
    let [allowed, allowed_v6, denied] = [beacon(v4, 53), beacon(v6, 53), beacon(v4, 54)];
    let streams = [v4, v6].map(|address| Stream::start(&peer, SocketAddr::new(address, 80)));

    let mut random = Random::new(6);
    let mut killed = 0;
    while generation < goal {
        drop(datapath);
        let told = kill_one(&host, &config.pin_dir, &mut random);
        killed += 1;
        datapath = Datapath::open(&config).expect("the datapath is taken over");
        assert!(datapath.generation() >= generation.max(told), "generation {told} was in force");
        generation = datapath.publish(&[policy(0)]).expect("the policy is published");
        datapath.settle();
        assert_eq!((datapath.blobs(), datapath.free_bytes()), room, "after {generation}");
    }

    streams.iter().for_each(|stream| stream.wait_for_more(3));
    let blocks = streams.map(Stream::finish);
    let asked = [allowed.finish_without_loss(), allowed_v6.finish_without_loss()];
    let leaks = denied.finish();
    assert!(leaks.len() > 100 && leaks.iter().all(|ask| !ask.answered));
    let counters = datapath.counters(SLOT).expect("counters are readable");
    let dropped = counters.inbound.reasons.keys().copied().filter(|reason| reason.is_drop());
    assert_eq!(dropped.collect::<Vec<_>>(), [Reason::SubnetDeny], "{counters:?}");
    assert_eq!((counters.outbound.dropped(), counters.flows_cut), (0, 0), "{counters:?}");
    println!(
        "{killed} killed in {generation} publishes: {blocks:?} blocks and {asked:?} datagrams, none lost"
    );
}
