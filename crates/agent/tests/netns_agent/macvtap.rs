//! A virtual machine behind a macvtap: a thread that reads and writes Ethernet frames, as QEMU would.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The machine's hardware address.
pub const MAC: &str = "52:54:00:12:34:56";
/// The kernel puts this many bytes about offloads before each frame, and wants them back.
const OFFLOADS: usize = 10;
const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const UDP: u8 = 17;

/// A number for an interface that no other test uses: the device file's name is made of it, and is the whole system's.
pub fn fresh_ifindex() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    1_000_000 + std::process::id() * 100 + COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A machine that sends back every IPv4 datagram, until dropped.
pub struct Machine {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Machine {
    /// Plugs the machine into the macvtap with this number.
    pub fn start(ifindex: u32) -> io::Result<Self> {
        let path = format!("/dev/tap{ifindex}");
        let mut file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let mut ready = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
                let _again = poll(&mut ready, PollTimeout::from(50_u8));
                echo_all(&mut file);
            }
        });
        Ok(Self { is_over, thread: Some(thread) })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}

fn echo_all(file: &mut File) {
    let mut bytes = [0; 4096];
    while let Ok(length) = file.read(&mut bytes) {
        let frame = &mut bytes[..length];
        if turn_round(frame) {
            file.write_all(frame).unwrap();
        }
    }
}

/// Makes the answer of a datagram: every pair of addresses swapped, which changes no checksum. False for other frames.
fn turn_round(bytes: &mut [u8]) -> bool {
    let Some(frame) = bytes.get_mut(OFFLOADS..).filter(|frame| frame.len() >= ETHERNET + 28) else {
        return false;
    };
    if frame[12..14] != IPV4 || frame[ETHERNET + 9] != UDP {
        return false;
    }
    let mut swap = |first: usize, length: usize| {
        let (left, right) = frame.split_at_mut(first + length);
        left[first..].swap_with_slice(&mut right[..length]);
    };
    swap(0, 6);
    swap(ETHERNET + 12, 4);
    swap(ETHERNET + 20, 2);
    true
}
