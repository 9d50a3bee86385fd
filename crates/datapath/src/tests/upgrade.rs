//! Taking over a datapath of an older layout: under traffic, from every state that a crash leaves, and not backwards.

use std::{
    collections::BTreeSet,
    fs, io,
    mem::offset_of,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use palisade_abi::{ABI_VERSION, policy::PolicyHeader, verdict::Reason};

use super::{
    interfaces::{linked_program, send, veth},
    rig::{Pins, Rig, SLOT, layer, memories, nic, small, tcp, udp, wait},
};
use crate::{
    Config, Datapath, Error, MemoryChoice, NicKind, NicPolicy, Observer, Plane, Watch,
    object::OLDER,
    pins::{LINKS, beside},
    publish::Timing,
};

/// Everything to the VM but DNS is denied.
fn policy(ifindex: u32) -> NicPolicy {
    let mut nic = nic(ifindex, SLOT);
    nic.inbound[1] = Some(layer(&["allow udp * * 53", "deny * * * *"]));
    nic.outbound[2] = Some(layer(&["allow * * * *"]));
    nic
}

/// An older datapath with a policy that enforces at an interface.
fn older(config: &Config, ifindex: u32) -> Datapath {
    let config = Config { memory: MemoryChoice::Arena, ..config.clone() };
    let mut datapath = Datapath::open_build(&config, &OLDER).expect("the older datapath loads");
    datapath.publish(&[policy(ifindex)]).expect("the policy is published");
    // Its blobs have the layout number of their time.
    let published = datapath.observer.published().expect("a policy is in force");
    for blob in published.nics.iter().flat_map(|nic| nic.inbound.into_iter().chain(nic.outbound)) {
        if blob != 0 {
            let version = blob + offset_of!(PolicyHeader, version) as u32;
            datapath.observer.memory().write(version, &OLDER.version.to_ne_bytes());
        }
    }
    datapath.attach(ifindex, NicKind::Direct).expect("the interface is there");
    datapath
}

/// A place for a datapath, and an interface; in a namespace of this thread's own.
fn scene() -> (Config, Pins, u32, u32) {
    let config = small();
    let pins = Pins(config.pin_dir.clone());
    let (host, vm) = veth();
    (config, pins, host, vm)
}

/// A socket that sees every frame that reaches the VM.
fn listen(ifindex: u32) -> OwnedFd {
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: a new socket; the descriptor is checked and owned at once.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, protocol.into());
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: all zeros is a valid address of this type.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    (address.sll_family, address.sll_protocol) = (libc::AF_PACKET as u16, protocol);
    address.sll_ifindex = ifindex as i32;
    let size = size_of_val(&address) as u32;
    // SAFETY: the address lives during the call and its size is given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
    assert_eq!(bound, 0, "{}", io::Error::last_os_error());
    socket
}

/// Numbers of the packets that arrived since the last call, by destination port.
fn arrived(socket: &OwnedFd, allowed: &mut BTreeSet<u32>, denied: &mut BTreeSet<u32>) {
    let mut frame = [0u8; 2048];
    loop {
        let fd = socket.as_raw_fd();
        // SAFETY: the buffer lives during the call and its size is given.
        let received = unsafe { libc::recv(fd, frame.as_mut_ptr().cast(), frame.len(), 0) };
        let Ok(bytes) = usize::try_from(received) else { break };
        let (Some(port), Some(number)) = (frame[..bytes].get(36..38), frame[..bytes].get(42..46)) else {
            continue;
        };
        let number = u32::from_ne_bytes(number.try_into().expect("4 bytes"));
        match u16::from_be_bytes([port[0], port[1]]) {
            53 => drop(allowed.insert(number)),
            54 => drop(denied.insert(number)),
            _ => {}
        }
    }
}

/// Packets to the VM without end, and what arrives of them.
struct Traffic {
    host: u32,
    socket: OwnedFd,
    is_over: AtomicBool,
    /// Numbers below this were sent, to an allowed port and to a denied one.
    sent: AtomicU32,
}

impl Traffic {
    fn new(host: u32, vm: u32) -> Self {
        Self { host, socket: listen(vm), is_over: AtomicBool::new(false), sent: AtomicU32::new(0) }
    }

    /// Sends until it is over.
    fn flow(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            let number = self.sent.load(Ordering::Acquire);
            for port in [53, 54] {
                // A flow for some packets, so that known and new ones are under way.
                let (from, to) = (format!("192.0.2.9:{}", 1000 + number / 8), format!("10.0.0.4:{port}"));
                let packet = udp(&from, &to).with_payload(number.to_ne_bytes());
                send(self.host, &packet.build().expect("a packet"));
            }
            self.sent.store(number + 1, Ordering::Release);
        }
    }

    /// Waits for some more packets to be sent.
    fn some_more(&self) {
        let until = self.sent.load(Ordering::Acquire) + 50;
        wait("packets to be sent", || self.sent.load(Ordering::Acquire) > until);
    }
}

/// Ends the traffic, also when the test fails.
struct End<'t>(&'t Traffic);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

/// Takes over step by step while packets go on.
fn take_over(config: &Config, host: u32, traffic: &Traffic) {
    let old_program = linked_program(config, host);
    traffic.some_more();
    let mut datapath = Datapath::open(config).expect("the older one is taken over");
    assert_eq!((datapath.generation(), datapath.attached().expect("links are readable").len()), (0, 1));
    datapath.attach(host, NicKind::Direct).expect("it is attached already");
    assert_eq!(linked_program(config, host), old_program);
    traffic.some_more();
    assert!(matches!(Observer::open(&config.pin_dir), Err(Error::Older { .. })));
    datapath.publish(&[policy(host)]).expect("the policy is published");
    assert_ne!(linked_program(config, host), old_program);
    assert!(!beside(&config.pin_dir, "next").exists());
    traffic.some_more();
    drop(datapath);
    let datapath = Datapath::open(config).expect("it is in its place");
    assert_eq!((datapath.generation(), datapath.nics().len()), (1, 1));
    traffic.some_more();
}

#[test]
fn an_older_datapath_enforces_until_the_new_one_has_a_policy() {
    for memory in memories() {
        let (config, _pins, host, vm) = scene();
        let config = Config { memory: *memory, ..config };
        drop(older(&config, host));
        let traffic = Traffic::new(host, vm);
        let (mut allowed, mut denied) = (BTreeSet::new(), BTreeSet::new());
        thread::scope(|scope| {
            let end = End(&traffic);
            scope.spawn(|| traffic.flow());
            let receiver = scope.spawn(|| {
                while !traffic.is_over.load(Ordering::Acquire) {
                    arrived(&traffic.socket, &mut allowed, &mut denied);
                }
            });
            take_over(&config, host, &traffic);
            drop(end);
            receiver.join().expect("it does not panic");
        });
        let sent = traffic.sent.load(Ordering::Acquire);
        wait("the last packets", || {
            arrived(&traffic.socket, &mut allowed, &mut denied);
            allowed.len() as u32 == sent
        });
        assert_eq!((allowed.len() as u32, denied.len()), (sent, 0));
    }
}

#[test]
fn connections_of_the_older_datapath_are_met_in_the_middle() {
    for memory in memories() {
        let (config, _pins, host, vm) = scene();
        let config = Config { memory: *memory, grace: Duration::from_secs(60), ..config };
        drop(older(&config, host));
        let mut datapath = Datapath::open(&config).expect("the older one is taken over");
        datapath.publish(&[policy(host)]).expect("the policy is published");
        send(vm, &tcp("10.0.0.4:1000", "192.0.2.1:443", "A").build().expect("a packet"));
        wait("the packet to be judged", || datapath.flows().next().is_some_and(|flow| flow.midstream));
    }
}

/// Goes on from a state in which a process died.
fn check_resumed(config: &Config, host: u32, old_program: u32) {
    let datapath = Datapath::open(config).expect("it is taken over");
    assert_eq!((datapath.generation(), datapath.nics().len()), (1, 1));
    assert_eq!(datapath.attached().expect("links are readable").len(), 1);
    assert_ne!(linked_program(config, host), old_program);
    assert!(!beside(&config.pin_dir, "next").exists());
    drop(datapath);
    Observer::open(&config.pin_dir).expect("it is complete");
}

/// The new datapath beside the older one, with a policy, as if its process had died before it changed a link.
fn published_beside(config: &Config, host: u32) -> Datapath {
    let mut datapath = Datapath::open(config).expect("the older one is taken over");
    let timing = Timing { grace_until: 0, ticks_per_second: datapath.ticks_per_second() };
    datapath.publisher.publish(&[policy(host)], timing).expect("the policy is published");
    datapath
}

#[test]
fn what_was_loaded_before_a_crash_is_found_again() {
    for memory in memories() {
        let (config, _pins, host, _) = scene();
        let config = Config { memory: *memory, ..config };
        drop(older(&config, host));
        let old_program = linked_program(&config, host);
        let id = |datapath: &Datapath| {
            crate::sys::program_id(datapath.programs.from_vm.as_fd()).expect("the program has an id")
        };
        let before = id(&Datapath::open(&config).expect("the older one is taken over"));
        let mut datapath = Datapath::open(&config).expect("the older one is taken over");
        assert_eq!(id(&datapath), before);
        datapath.publish(&[policy(host)]).expect("the policy is published");
        drop(datapath);
        check_resumed(&config, host, old_program);
    }
}

/// A crash after the publish; after the links moved; after the directories changed places.
#[test]
fn a_crash_at_any_step_is_resumed() {
    for (memory, steps) in memories().iter().flat_map(|memory| (0..3).map(move |steps| (*memory, steps))) {
        let (config, _pins, host, _) = scene();
        let config = Config { memory, ..config };
        drop(older(&config, host));
        let old_program = linked_program(&config, host);
        let datapath = published_beside(&config, host);
        let next = beside(&config.pin_dir, "next");
        let rename = |from: &Path, to: &Path| fs::rename(from, to).expect("a BPF file system renames");
        if steps > 0 {
            crate::links::refresh(&config.pin_dir, &datapath.programs).expect("links are renewed");
            rename(&config.pin_dir.join(LINKS), &next.join(LINKS));
        }
        if steps > 1 {
            let away = beside(&config.pin_dir, "away");
            rename(&config.pin_dir, &away);
            rename(&next, &config.pin_dir);
            rename(&away, &next);
        }
        drop(datapath);
        check_resumed(&config, host, old_program);
    }
}

#[test]
fn there_is_no_way_back() {
    for memory in memories() {
        let (config, _pins, host, _) = scene();
        let config = Config { memory: *memory, ..config };
        let open_older = || Datapath::open_build(&config, &OLDER);
        drop(older(&config, host));
        let refused = || {
            let error = open_older().expect_err("it is newer");
            assert!(
                matches!(error, Error::Version { found, expected, .. } if (found, expected) == (ABI_VERSION, OLDER.version)),
                "{error}"
            );
        };
        // A new one that was never in force can be given up.
        drop(Datapath::open(&config).expect("the older one is taken over"));
        drop(open_older().expect("it is still in force"));
        assert!(!beside(&config.pin_dir, "next").exists());
        drop(published_beside(&config, host));
        refused();
        let datapath = Datapath::open(&config).expect("it goes on");
        drop(datapath);
        refused();
        assert!(matches!(Datapath::open(&config), Ok(datapath) if datapath.generation() == 1));
    }
}

/// What is enforced is what was published, also by the programs that replaced the older ones.
#[test]
fn a_datapath_that_took_over_is_like_any_other() {
    for memory in memories() {
        let (config, pins, host, _) = scene();
        let config = Config { memory: *memory, ..config };
        drop(older(&config, host));
        let mut datapath = Datapath::open(&config).expect("the older one is taken over");
        datapath.publish(&[policy(host)]).expect("the policy is published");
        let mut rig = Rig { datapath, config, pins };
        rig.publish(&["deny * * * *"], &["allow * * * *"]);
        assert_eq!(rig.outbound(&udp("10.0.0.4:1000", "192.0.2.1:53")), Reason::Allowed);
        let rig = super::adopt::reopen(rig);
        assert_eq!(rig.inbound(&udp("192.0.2.1:53", "10.0.0.4:1000")), Reason::Established);
        rig.datapath.remove().expect("the pins are removed");
        assert!(!rig.config.pin_dir.exists());
    }
}
