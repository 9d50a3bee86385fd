//! Taking over what another process pinned: after a clean end, after kill -9, from another version.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    mem::offset_of,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use palisade_abi::{ABI_VERSION, arena::Root, flow::Direction, verdict::Reason};
use palisade_classify::generate::Random;

use super::rig::{LOOPBACK, Pins, Rig, SLOT, can_run, layer, nic, pin_dir, udp};
use crate::{Config, Datapath, Error, Observer, Plane, Sizes, Watch, pins::BPFFS};

const VM: &str = "10.0.0.4:1000";
const PEER: &str = "192.0.2.1:53";
/// Makes [`child_process`] more than an empty test.
const CHILD: &str = "PALISADE_TEST_PIN_DIR";

/// Ends the process, as far as the kernel can tell, and starts the next one.
pub(super) fn reopen(rig: Rig) -> Rig {
    let Rig { datapath, config, pins } = rig;
    drop(datapath);
    Rig { datapath: Datapath::open(&config).expect("the datapath is taken over"), config, pins }
}

#[test]
fn policy_flows_and_counters_survive() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        let before = (rig.datapath.generation(), rig.datapath.nics(), rig.datapath.blobs());
        let mut rig = reopen(rig);
        assert_eq!((rig.datapath.generation(), rig.datapath.nics(), rig.datapath.blobs()), before);
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::Established);
        assert_eq!(rig.datapath.counters(SLOT).expect("counters are readable").flows, 1);
        // The same content is found again, and the generation goes on.
        assert_eq!(rig.publish(&["deny * * * *"], &["allow * * * *"]), before.0 + 1);
        assert_eq!(rig.datapath.blobs(), before.2);
        assert_eq!(rig.datapath.nics(), before.1);
    }
}

#[test]
fn one_process_at_a_time() {
    for rig in Rig::each() {
        let error = Datapath::open(&rig.config).expect_err("it is in use");
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        let watcher = Observer::open(&rig.config.pin_dir).expect("looking is free");
        assert_eq!(watcher.generation(), 0);
    }
}

#[test]
fn an_observer_sees_what_is_in_force() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        rig.outbound(&udp(VM, PEER));
        let watcher = Observer::open(&rig.config.pin_dir).expect("looking is free");
        assert_eq!((watcher.generation(), watcher.nics()), (rig.datapath.generation(), rig.datapath.nics()));
        assert_eq!(watcher.flows().count(), 1);
        assert_eq!(watcher.counters(SLOT).expect("counters are readable").outbound.packets(), 1);
        let error = Observer::open(&pin_dir()).expect_err("nothing is there");
        assert!(matches!(error, Error::NotLoaded { .. }), "{error}");
    }
}

#[test]
fn another_layout_is_refused_with_words() {
    for rig in Rig::each() {
        let version = offset_of!(Root, version) as u32;
        rig.datapath.observer.memory().write(version, &(ABI_VERSION + 1).to_ne_bytes());
        let Rig { datapath, config, pins: _pins } = rig;
        drop(datapath);
        let error = Datapath::open(&config).expect_err("the layout is another one");
        assert!(matches!(error, Error::Version { found, .. } if found == ABI_VERSION + 1), "{error}");
    }
}

#[test]
fn programs_of_another_build_are_replaced_and_state_stays() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        rig.datapath.observer.memory().write(offset_of!(Root, program) as u32, &[1, 2, 3, 4]);
        let old = program_id(&rig);
        let rig = reopen(rig);
        assert_ne!(program_id(&rig), old);
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::Established);
        let replaced = program_id(&rig);
        assert_eq!(program_id(&reopen(rig)), replaced);
    }
}

fn program_id(rig: &Rig) -> u32 {
    use std::os::fd::AsFd;
    crate::sys::program_id(rig.datapath.programs.from_vm.as_fd()).expect("the program has an id")
}

#[test]
fn an_unfinished_set_of_pins_is_built_anew() {
    if !can_run() {
        return;
    }
    let (config, _pins) = small();
    let mut unfinished = config.pin_dir.clone().into_os_string();
    unfinished.push("-unfinished");
    drop(Datapath::open(&config).expect("the datapath loads"));
    // As if the process had died before the set was complete, and as if someone had made the directory.
    fs::rename(&config.pin_dir, &unfinished).expect("a BPF file system renames");
    fs::create_dir(&config.pin_dir).expect("a BPF file system makes directories");
    let datapath = Datapath::open(&config).expect("the datapath loads");
    assert_eq!(datapath.generation(), 0);
    assert!(!PathBuf::from(unfinished).exists());
    datapath.remove().expect("the pins are removed");
    assert!(!config.pin_dir.exists());
}

/// As under `ip netns exec`, which gives its process a `/sys` of its own.
#[test]
fn pins_that_would_vanish_with_the_mount_namespace_are_refused() {
    if !can_run() {
        return;
    }
    let (config, _pins) = small();
    let open_elsewhere = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("this thread gets a mount namespace");
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
            .expect("mounts are private");
        mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), nothing).expect("it is mounted");
        Datapath::open(&config).expect_err("it would vanish")
    };
    let error = std::thread::scope(|scope| scope.spawn(open_elsewhere).join()).expect("it does not panic");
    assert!(matches!(error, Error::Fleeting { .. }), "{error}");
    assert!(!config.pin_dir.exists());
}

#[test]
fn pin_directories_that_cannot_be() {
    if !can_run() {
        return;
    }
    let open = |dir: &str| Datapath::open(&Config::new(dir)).expect_err("it is refused");
    assert!(matches!(open("/sys/fs/bpf/with.dot"), Error::BadPinDir { .. }));
    assert!(matches!(open("/"), Error::BadPinDir { .. }));
    let error = open("/tmp/palisade/pins");
    assert!(matches!(error, Error::NotBpffs { .. }), "{error}");
}

/// A datapath to be opened by hand.
fn small() -> (Config, Pins) {
    let config = super::rig::small();
    let pins = Pins(config.pin_dir.clone());
    (config, pins)
}

/// Publishes until it is killed; a line for each generation.
#[test]
fn child_process() {
    let Ok(dir) = env::var(CHILD) else { return };
    let mut config = Config::new(dir);
    config.sizes = Sizes { flows: 64, slots: 16 };
    let mut datapath = Datapath::open(&config).expect("the datapath opens");
    for round in 0u32.. {
        let mut policy = nic(LOOPBACK, SLOT);
        let port = datapath.generation() + 1;
        policy.inbound[1] = Some(layer(&[&format!("allow udp * * {port}"), "deny * * * *"]));
        policy.outbound[2] = Some(layer(&["allow * * * *"]));
        let generation = datapath.publish(&[policy]).expect("the policy is published");
        println!("round {round} generation {generation}");
    }
}

#[test]
fn kill_9_at_any_moment_leaves_a_policy_that_can_be_taken_over() {
    if !can_run() {
        return;
    }
    let (config, mut pins) = small();
    let mut random = Random::new(9);
    let mut last = 0;
    for _ in 0..12 {
        kill_a_publisher(&config, &mut random);
        let datapath = Datapath::open(&config).expect("the datapath is taken over");
        let generation = datapath.generation();
        assert!(generation >= last, "{generation} after {last}");
        last = generation;
        let rig = Rig { datapath, config: config.clone(), pins };
        if generation > 0 {
            let allowed = udp(PEER, &format!("10.0.0.4:{generation}")).build().expect("a packet");
            let denied = udp(PEER, &format!("10.0.0.4:{}", generation + 1)).build().expect("a packet");
            assert!(!rig.frame(Direction::Inbound, &allowed).is_drop());
            assert_eq!(rig.frame(Direction::Inbound, &denied), Reason::SubnetDeny);
        }
        pins = rig.pins;
    }
    assert!(last > 10, "the publishers were killed too early to show anything: {last}");
}

/// Starts a publisher and kills it after some generations, or after some milliseconds while it opens.
fn kill_a_publisher(config: &Config, random: &mut Random) {
    let mut child = Command::new(env::current_exe().expect("this test has a path"))
        .args(["--exact", "tests::adopt::child_process", "--nocapture"])
        .env(CHILD, &config.pin_dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test starts itself");
    if random.chance(40) {
        // No synchronisation: the moment is meant to be arbitrary.
        std::thread::sleep(Duration::from_millis(random.below(150) as u64));
    } else {
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let published = lines.map_while(Result::ok).filter(|line| line.contains("generation"));
        published.take(1 + random.below(20)).for_each(drop);
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}
