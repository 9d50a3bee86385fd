//! Rules that end and begin by themselves: nobody is alive when their second comes, and the kernel is what keeps it.

use std::{
    io::Read as _,
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use palisade_abi::event::EventKind;
use palisade_classify::Row;
use palisade_datapath::{Datapath, LayerPolicy, Plane as _, wall_clock_anchor};
use palisade_model::Window;

use crate::{
    children::{WINDOW, Worker},
    scene::{CLOSED, Host, SLOT, Scene, VM, config, guarded, layer},
    shared::{link, rules, wait},
    traffic::{Ask, Beacon, Echo, Stream},
};

const EVERY: Duration = Duration::from_millis(5);
/// What is asked so shortly before a moment may be judged after it.
const EARLY: Duration = Duration::from_millis(400);
/// By how much the kernel's second may be late: two clocks are read one after the other when it is told the time.
const LATE: Duration = Duration::from_millis(50);
const HOUR_S: u32 = 3600;

/// UDP 53 and TCP 80 end at a second, UDP 54 begins at one, UDP 55 is there always.
fn doors(ends: u32, begins: u32) -> LayerPolicy {
    let until = Window::new(None, Some(ends)).expect("it is not empty");
    let from = Window::new(Some(begins), None).expect("it is not empty");
    let rows = [
        Row { window: until, ..rules::row("allow udp * * 53") },
        Row { window: until, ..rules::row("allow tcp * * 80") },
        Row { window: from, ..rules::row("allow udp * * 54") },
        rules::row("allow udp * * 55"),
        rules::row("deny * * * *"),
    ];
    LayerPolicy { flush: true, ..LayerPolicy::new("doors", rules::compile(&rows)) }
}

fn seconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs() as u32
}

/// The process that makes everything so, and does nothing more: it waits to be killed.
pub fn work(pins: &Path) {
    let mut datapath = Datapath::open(&config(pins)).expect("the datapath loads");
    datapath.set_events(&[EventKind::Cut]);
    let vm0 = link::index("vm0");
    let moment = seconds() + 4;
    let mut nic = guarded(vm0);
    nic.inbound[1] = Some(doors(moment, moment));
    nic.outbound[2] = Some(layer(CLOSED));
    datapath.publish(&[nic]).expect("the policy is published");
    println!("moment {moment}");
    let _forever = std::io::stdin().read(&mut [0]);
    unreachable!("nobody writes to this process");
}

/// Compares what was answered with when it should have been.
fn check(asked: &[Ask], answered: impl Fn(SystemTime) -> Option<bool>) {
    let mut compared = [0; 2];
    for ask in asked {
        let Some(expected) = answered(ask.sent) else { continue };
        assert_eq!(ask.answered, expected, "asked at {:?}", ask.sent.duration_since(UNIX_EPOCH));
        compared[usize::from(expected)] += 1;
    }
    println!("{compared:?} as expected, without and with an answer");
    assert!(compared.iter().all(|count| *count > 10), "{compared:?}");
}

#[test]
fn the_kernel_keeps_the_second_when_nobody_is_alive() {
    let Some(scene) = Scene::open(Host::Bridge) else { return };
    let Scene { datapath, host, vm, peer, config, _pins, .. } = scene;
    drop(datapath);
    let _servers = [Echo::tcp(&vm, &[80]), Echo::udp(&vm, &[53, 54, 55])];
    let mut worker = Worker::start(&host, WINDOW, &config.pin_dir);
    let moment: u64 = worker.hears("moment").parse().expect("a second");
    worker.kill();

    let moment = UNIX_EPOCH + Duration::from_secs(moment);
    let [v4, v6] = VM.addresses();
    let beacon = |address, port| Beacon::start(&peer, SocketAddr::new(address, port), EVERY);
    let [ends, ends_v6, begins, always] = [beacon(v4, 53), beacon(v6, 53), beacon(v4, 54), beacon(v4, 55)];
    let stream = Stream::start(&peer, SocketAddr::new(v4, 80));
    stream.wait_for_more(3);
    wait("the moment to pass", || SystemTime::now() > moment + Duration::from_millis(300));
    let late = beacon(v6, 53);
    let after = stream.blocks();
    late.wait_for_more(20);
    always.wait_for_answers(20);
    assert_eq!(stream.blocks(), after, "the stream is cut");
    drop(stream);

    let before = |sent| (sent + EARLY < moment).then_some(true);
    let until = |sent| if sent > moment + LATE { Some(false) } else { before(sent) };
    check(&ends.finish(), until);
    check(&ends_v6.finish(), until);
    check(&begins.finish(), |sent| {
        if sent + EARLY < moment { Some(false) } else { (sent > moment + LATE).then_some(true) }
    });
    assert!(late.finish().iter().all(|ask| !ask.answered), "what is new is denied");
    always.finish_without_loss();

    // Who opens it afterwards finds what happened.
    let mut datapath = Datapath::open(&config).expect("the datapath is taken over");
    let mut cut = Vec::new();
    datapath
        .drain_events(usize::MAX, &mut |event| cut.push((event.kind, event.flow.slot, event.flow.local.1)));
    cut.sort_unstable_by_key(|(_, _, port)| *port);
    assert_eq!(cut, [53, 53, 80].map(|port| (EventKind::Cut, SLOT, port)));
}

#[test]
fn the_time_goes_by_the_anchor_in_both_directions() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    let _servers = Echo::udp(&scene.vm, &[53, 54, 55]);
    let anchor = wall_clock_anchor().expect("the clocks are readable");
    let moment = seconds() + HOUR_S;
    scene.publish_with(&[], CLOSED, |nic| nic.inbound[1] = Some(doors(moment, moment)));
    let [to, _] = VM.addresses();
    let beacon = |port| Beacon::start(&scene.peer, SocketAddr::new(to, port), EVERY);
    let [ends, begins, always] = [53, 54, 55].map(beacon);
    let is_answered = |beacon: &Beacon| {
        let before = beacon.answered();
        always.wait_for_answers(20);
        beacon.answered() > before
    };
    assert_eq!([is_answered(&ends), is_answered(&begins)], [true, false]);

    // An hour and a second pass.
    scene.datapath.set_anchor(anchor + u64::from(HOUR_S + 1) * 1_000_000_000);
    begins.wait_for_answers(5);
    let late = beacon(53);
    late.wait_for_more(20);
    assert_eq!([is_answered(&ends), is_answered(&late), is_answered(&begins)], [false, false, true]);

    // They did not: somebody had set the clock wrongly.
    scene.datapath.set_anchor(anchor);
    ends.wait_for_answers(5);
    late.wait_for_answers(5);
    assert_eq!([is_answered(&ends), is_answered(&late), is_answered(&begins)], [true, true, false]);
    always.finish_without_loss();
}
