//! Frames as they are: sent at an interface without asking its stack, and seen where others arrive.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    namespace::Namespace,
    scene::Station,
    shared::{link, packets},
};

/// How long a frame may take that must arrive.
const PATIENCE: Duration = Duration::from_secs(10);
const FRAME_MAX: usize = 1 << 16;
/// Linux 4.20, `linux/if_packet.h`.
const PACKET_IGNORE_OUTGOING: i32 = 23;

/// Where frames are put on a link and taken from it: a socket at an interface, or the end of a tap that a machine has.
pub struct Wire(File);

impl Wire {
    /// A socket at the interface `eth0` of a namespace.
    pub fn open(at: &Namespace) -> Self {
        let socket = at.enter(|| link::packet_socket(link::index("eth0"), libc::ETH_P_ALL));
        // What a test sends here is not what it sees here.
        set(&socket, PACKET_IGNORE_OUTGOING, 1);
        Self(socket.into())
    }

    /// The machine's end of a new tap interface of the calling thread's namespace.
    pub fn tap(interface: &str) -> io::Result<Self> {
        Self::device("/dev/net/tun", interface)
    }

    /// The machine's end of the macvtap interface with this number.
    pub fn macvtap(ifindex: u32) -> io::Result<Self> {
        Self::device(&format!("/dev/tap{ifindex}"), "")
    }

    fn device(path: &str, interface: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // SAFETY: all zeros is a valid request of this type.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *to = from as libc::c_char;
        }
        // Frames, and nothing in front of them.
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the request lives during the call, and is of the type that the command takes.
        let outcome = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(file)) }
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        assert_eq!((&self.0).write(frame).expect("the frame goes"), frame.len());
    }

    /// All frames that arrived before the one that `is_last` tells, which must come.
    pub fn until(&self, is_last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let start = Instant::now();
        let mut frames = Vec::new();
        loop {
            match self.receive() {
                Some(frame) if is_last(&frame) => return frames,
                Some(frame) => frames.push(frame),
                None => {
                    assert!(start.elapsed() < PATIENCE, "the last frame did not come, only {frames:02x?}");
                }
            }
        }
    }

    /// The next frame, if one comes soon.
    fn receive(&self) -> Option<Vec<u8>> {
        let mut ready = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives during the call.
        if unsafe { libc::poll(&raw mut ready, 1, 10) } <= 0 {
            return None;
        }
        let mut frame = vec![0; FRAME_MAX];
        let length = (&self.0).read(&mut frame).ok()?;
        frame.truncate(length);
        Some(frame)
    }
}

fn set(socket: &OwnedFd, option: i32, value: i32) {
    // SAFETY: the value lives during the call and its size is given.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    assert_eq!(outcome, 0, "option {option}: {}", io::Error::last_os_error());
}

/// Keeps the calling thread on one CPU: frames are delivered on the CPU that sends them, so they stay in their order.
pub fn keep_order() {
    let mut cpus = CpuSet::new();
    cpus.set(0).expect("there is a first CPU");
    sched_setaffinity(Pid::from_raw(0), &cpus).expect("a thread may stay where it is");
}

/// A datagram to port 53, which the rules of such tests let pass: what was sent before it has arrived before it.
pub fn marker(from: Station, to: Station) -> Vec<u8> {
    let [source, destination] = [format!("{}:9", from.v4), format!("{}:53", to.v4)];
    let packet = packets::udp(&source, &destination).with_payload(*b"the last one");
    packet.between(from.mac, to.mac).build().expect("it can be written")
}
