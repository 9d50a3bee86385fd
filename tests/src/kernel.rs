//! The kernel program, loaded for one test: it judges frames of the test's making, and no interface has it.
//!
//! Each value has a pin directory of its own that disappears with it. Its clock is the test's: windows of rules are judged at
//! the second that [`Kernel::set_time`] names. It decides nothing, and knows no rule.

use std::{collections::BTreeMap, fs, panic::resume_unwind, path::PathBuf, thread, time::Duration};

use nix::time::{ClockId, clock_gettime};
use palisade_abi::{event::EventKind, flow::Direction as Way};
use palisade_classify::enforce::PolicyBlobs;
use palisade_datapath::{
    Config, Datapath, Event, FlowEntry, FlowId, Guards, MemoryChoice, NicPolicy, Outcome, Plane, Sizes,
    TestPacket,
};
use palisade_net::Direction;

use crate::pins;

/// The loopback interface: test runs need an interface that exists, and nothing is attached to it.
const LOOPBACK: u32 = 1;
/// The slot of its only NIC.
pub const SLOT: u32 = 1;
/// The first kernel that has all that the program uses (tcx links are the youngest part; arenas are optional).
const KERNEL_MIN: (u32, u32) = (6, 6);
const NANOSECONDS: u64 = 1_000_000_000;

const MEMORIES: [MemoryChoice; 2] = [MemoryChoice::Arena, MemoryChoice::Array];

/// Which part of a test is done on one kind of memory.
#[derive(Debug, Clone, Copy)]
pub struct Share(usize);

impl Share {
    /// Whether the case of this number is done there: each kind of memory gets every other one.
    pub const fn has(self, number: u64) -> bool {
        number % MEMORIES.len() as u64 == self.0 as u64
    }
}

/// A loaded kernel program with one NIC.
#[derive(Debug)]
pub struct Kernel {
    datapath: Datapath,
    pin_dir: PathBuf,
    memory: MemoryChoice,
    /// Nanoseconds since 1970 at which the machine started, as the kernel program was told.
    anchor: u64,
}

impl Kernel {
    /// Most flows that the table surely holds.
    pub const FLOWS_MAX: u32 = 4096;

    /// Does `work` with a program without policy on each kind of memory, at the same time; nothing, with the reason printed,
    /// where this process cannot have one.
    ///
    /// # Panics
    /// If a program should load here and does not, or if `work` panics.
    pub fn on_each<T: Send>(work: impl Fn(&mut Self, Share) -> T + Sync) -> Vec<T> {
        if let Some(reason) = obstacle() {
            println!("skipped: {reason}");
            return Vec::new();
        }
        let work = &work;
        thread::scope(|scope| {
            let memories = MEMORIES.into_iter().enumerate();
            let workers: Vec<_> = memories
                .map(|(index, memory)| scope.spawn(move || work(&mut Self::open(memory), Share(index))))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        })
    }

    fn open(memory: MemoryChoice) -> Self {
        let pin_dir = pins::fresh();
        let mut config = Config::new(&pin_dir);
        config.sizes = Sizes { flows: 2 * Self::FLOWS_MAX, slots: 4 };
        config.memory = memory;
        config.grace = Duration::ZERO;
        let mut datapath = Datapath::open(&config).unwrap_or_else(|error| panic!("{error}: {error:?}"));
        datapath.set_events(&[EventKind::WouldDeny]);
        Self { datapath, pin_dir, memory, anchor: 0 }
    }

    /// Puts a policy into force; its generation.
    ///
    /// # Panics
    /// If it is refused.
    pub fn publish(&mut self, blobs: &PolicyBlobs) -> u64 {
        self.publish_with(blobs, |_| {})
    }

    /// The same, for a NIC that is changed before.
    ///
    /// # Panics
    /// If it is refused.
    pub fn publish_with(&mut self, blobs: &PolicyBlobs, change: impl FnOnce(&mut NicPolicy)) -> u64 {
        // What guards say is tested elsewhere, and so is what begins in the middle: here the rules alone speak.
        let nic = NicPolicy { guards: Guards::NONE, loose_tcp: true, ..NicPolicy::new(LOOPBACK, SLOT) };
        let mut nic = nic.with_rules(blobs);
        change(&mut nic);
        self.datapath.publish(&[nic]).expect("compiled policy is published")
    }

    /// Makes it the beginning of this second, in seconds since 1970. From then on the clock goes on as clocks do.
    pub fn set_time(&mut self, now: u32) {
        self.anchor = (u64::from(now) * NANOSECONDS).wrapping_sub(since_start());
        self.datapath.set_anchor(self.anchor);
    }

    /// Whether it is still that second, so that all that was judged since [`Self::set_time`] was judged in it.
    pub fn is_time(&self, now: u32) -> bool {
        since_start().wrapping_add(self.anchor) / NANOSECONDS == u64::from(now)
    }

    /// Judges frames one after the other; those that begin a flow are remembered.
    ///
    /// # Panics
    /// If the kernel does not run the program.
    pub fn judge<'f>(&self, frames: impl IntoIterator<Item = (Direction, &'f [u8])>) -> Vec<Outcome> {
        let packet = |(direction, bytes)| TestPacket {
            direction: way(direction),
            ifindex: LOOPBACK,
            bytes,
            segments: (0, 0),
        };
        self.datapath.run_packets(frames.into_iter().map(packet)).expect("the kernel takes the frames")
    }

    /// Judges frames at this second as if nothing had been before: flows and events of earlier ones are forgotten.
    ///
    /// # Panics
    /// If the kernel does not run the program.
    pub fn judge_afresh<'f>(
        &mut self,
        now: u32,
        frames: &(impl Iterator<Item = (Direction, &'f [u8])> + Clone),
    ) -> Vec<Outcome> {
        loop {
            self.forget_flows();
            self.take_events();
            // To set the clock back costs a wait for packets under way.
            if !self.is_time(now) {
                self.set_time(now);
            }
            let outcomes = self.judge(frames.clone());
            // On a busy machine the second may pass meanwhile; then it is tried again.
            if self.is_time(now) {
                return outcomes;
            }
        }
    }

    /// The flows that are remembered.
    pub fn flows(&self) -> BTreeMap<FlowId, FlowEntry> {
        self.datapath.flows().map(|entry| (entry.id, entry)).collect()
    }

    /// Forgets every flow, so that the next frame of each is judged by the rules.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn forget_flows(&mut self) {
        self.datapath.clear_flows().expect("flows are removable");
    }

    /// What the kernel has told of flows that pass only because of audit, since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.datapath.drain_events(usize::MAX, &mut |event| events.push(event));
        events
    }

    /// What the shared memory is.
    pub const fn memory_name(&self) -> &'static str {
        match self.memory {
            MemoryChoice::Array => "array",
            MemoryChoice::Arena | MemoryChoice::Auto => "arena",
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // No interface has the program, so its pins are all that keeps it.
        let _ = fs::remove_dir_all(&self.pin_dir);
    }
}

/// A direction as the kernel program knows it.
pub const fn way(direction: Direction) -> Way {
    match direction {
        Direction::Inbound => Way::Inbound,
        Direction::Outbound => Way::Outbound,
    }
}

/// Nanoseconds since the machine started, suspended or not: the clock that nobody can set.
fn since_start() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock");
    time.tv_sec() as u64 * NANOSECONDS + time.tv_nsec() as u64
}

/// What keeps this process from loading the kernel program, if anything does.
pub fn obstacle() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("loading a kernel program needs root".to_owned());
    }
    let release = nix::sys::utsname::uname().ok()?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    let (major, minor) = KERNEL_MIN;
    (version < KERNEL_MIN).then(|| format!("kernel {release} is older than {major}.{minor}"))
}
