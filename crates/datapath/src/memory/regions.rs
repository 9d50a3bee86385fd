//! What lies where in the shared memory beside the policy: made once, when the memory is, and kept as long as it lives.
//!
//! ```text
//! Root | NicUsage for each slot | NicPace for each slot | denials for each CPU | buckets | flows | free for the publisher
//! ```
//!
//! The kernel program cannot get pages of an arena, so every page before the publisher's part is got here.

use std::{fs::File, io::Read as _};

use palisade_abi::{
    Pod,
    arena::{ARENA_MAGIC, NICS_MAX, NicPace, NicUsage, Root},
    flow::{BUCKET_WAYS, Denial, Flow, FlowBucket},
};

use super::mapping::Mapping;
use crate::error::{Context, Error};

/// Denials that one CPU remembers at most; and bytes of all denials, which bounds them on hosts with many CPUs.
const DENIALS_MAX: usize = 4096;
const DENIAL_BYTES_MAX: usize = 16 << 20;
/// Room that flows leave to the policy.
const POLICY_BYTES_MIN: usize = 32 << 20;
/// Eighths of the ways that the flows take which a table is made for. A flow has two buckets and goes into the emptier one;
/// simulated with a million flows, none finds both full before 67 % of the ways are taken, and one in twenty at 87 %.
const LOAD_EIGHTHS: usize = 5;
const REGION_ALIGN: usize = 64;

/// Sizes of a datapath; they are fixed when it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Flows of the whole host that find their places; a few more do not always.
    pub flows: u32,
    /// NIC slots, counted from 1.
    pub slots: u32,
}

impl Default for Sizes {
    /// Twice what Azure allows one NIC, so that no NIC can take more than half. About 204 MiB, and 1.1 MiB a CPU.
    fn default() -> Self {
        Self { flows: 1_000_000, slots: 1024 }
    }
}

/// Offsets and sizes of the regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Regions {
    /// Slots, that of unknown interfaces included.
    pub slots: u32,
    pub nic_states: u32,
    pub paces: u32,
    pub denials: u32,
    /// Denials of one CPU.
    pub denials_each: u32,
    pub cpus: u32,
    pub buckets: u32,
    pub bucket_count: u32,
    pub flows: u32,
    /// First byte that is the publisher's.
    pub end: u32,
}

impl Regions {
    /// Lays out a memory of `bytes`.
    pub(crate) fn plan(sizes: Sizes, cpus: usize, bytes: usize) -> Result<Self, Error> {
        let bounded = |field, value, max| match value {
            value if (1..=max).contains(&value) => Ok(value as usize),
            _ => Err(Error::Size { field, value, max }),
        };
        // Slot 0 counts what no NIC claims.
        let slots = bounded("slots", sizes.slots, NICS_MAX as u32)? + 1;
        let denials_each = denials_each(cpus);
        let mut next = 0;
        let mut take = |bytes: usize| {
            let start = next;
            next = (next + bytes).next_multiple_of(REGION_ALIGN);
            start as u32
        };
        take(size_of::<Root>());
        let nic_states = take(slots * size_of::<NicUsage>());
        let paces = take(slots * size_of::<NicPace>());
        let denials = take(cpus * denials_each * size_of::<Denial>());
        let bucket_bytes = size_of::<FlowBucket>() + BUCKET_WAYS * size_of::<Flow>();
        let room = bytes.saturating_sub(POLICY_BYTES_MIN + denials as usize + DENIAL_BYTES_MAX);
        let flows_max = room / bucket_bytes * BUCKET_WAYS * LOAD_EIGHTHS / 8;
        let wanted = bounded("flows", sizes.flows, flows_max as u32)?;
        let bucket_count = (8 * wanted).div_ceil(LOAD_EIGHTHS * BUCKET_WAYS);
        let buckets = take(bucket_count * size_of::<FlowBucket>());
        let flows = take(bucket_count * BUCKET_WAYS * size_of::<Flow>());
        Ok(Self {
            slots: slots as u32,
            nic_states,
            paces,
            denials,
            denials_each: denials_each as u32,
            cpus: cpus as u32,
            buckets,
            bucket_count: bucket_count as u32,
            flows,
            end: next as u32,
        })
    }

    /// The regions of a memory that was laid out before; `None` if they are not all inside it.
    pub(crate) fn of(memory: &Mapping, root: &Root) -> Option<Self> {
        let regions = Self {
            slots: root.slots,
            nic_states: root.nic_states,
            paces: root.paces,
            denials: root.denials,
            denials_each: if root.denials == 0 { 0 } else { root.denial_mask.checked_add(1)? },
            cpus: root.cpus,
            buckets: root.buckets,
            bucket_count: root.bucket_count,
            flows: root.flows,
            end: 0,
        };
        let ends = [
            end(regions.nic_states, u64::from(regions.slots) * size_of::<NicUsage>() as u64),
            end(regions.paces, u64::from(regions.slots) * size_of::<NicPace>() as u64),
            end(
                regions.denials,
                u64::from(regions.cpus) * u64::from(regions.denials_each) * size_of::<Denial>() as u64,
            ),
            end(regions.buckets, u64::from(regions.bucket_count) * size_of::<FlowBucket>() as u64),
            end(regions.flows, regions.ways() * size_of::<Flow>() as u64),
        ];
        let end = ends.into_iter().max()?.next_multiple_of(REGION_ALIGN as u64);
        let is_sound = regions.slots > 0 && regions.bucket_count > 0 && end <= memory.bytes() as u64;
        is_sound.then_some(Self { end: end as u32, ..regions })
    }

    /// Places for flows.
    pub(crate) fn ways(&self) -> u64 {
        u64::from(self.bucket_count) * BUCKET_WAYS as u64
    }

    /// Where the use of a slot is counted; `None` for a slot beyond the last.
    pub(crate) fn usage(&self, slot: u32) -> Option<u32> {
        (slot < self.slots).then(|| self.nic_states + slot * size_of::<NicUsage>() as u32)
    }

    /// Where the pace of a slot is.
    #[cfg(test)]
    pub(crate) fn pace(&self, slot: u32) -> u32 {
        self.paces + slot * size_of::<NicPace>() as u32
    }

    /// Largest slot of a NIC.
    pub(crate) fn slot_max(&self) -> u32 {
        self.slots - 1
    }
}

fn end(start: u32, bytes: u64) -> u64 {
    u64::from(start) + bytes
}

/// Denials of one CPU: a power of two.
fn denials_each(cpus: usize) -> usize {
    let share = (DENIAL_BYTES_MAX / size_of::<Denial>() / cpus.max(1)).clamp(1, DENIALS_MAX);
    1 << share.ilog2()
}

/// Writes the root of a new memory, and gets the pages of its regions.
pub(crate) fn format(memory: &Mapping, regions: &Regions, version: u32, program: u32) -> Result<(), Error> {
    memory.populate(0, regions.end as usize)?;
    let root = Root {
        magic: ARENA_MAGIC,
        version,
        program,
        buckets: regions.buckets,
        bucket_count: regions.bucket_count,
        flows: regions.flows,
        hash_keys: secret_factors()?,
        nic_states: regions.nic_states,
        paces: regions.paces,
        slots: regions.slots,
        denials: regions.denials,
        denial_mask: regions.denials_each - 1,
        cpus: regions.cpus,
        size: memory.bytes() as u32,
        ..Root::default()
    };
    memory.write(0, root.as_bytes());
    Ok(())
}

/// Random odd numbers.
fn secret_factors() -> Result<[u64; 6], Error> {
    let mut bytes = [0; 48];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context(|| "read random numbers from /dev/urandom".into())?;
    let mut words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes")));
    Ok([0; 6].map(|_: u64| words.next().expect("48 bytes are 6 words") | 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARENA: usize = 1 << 30;
    const ARRAY: usize = 1 << 28;

    #[test]
    fn regions_do_not_overlap_and_leave_room_for_policy() {
        for (flows, cpus, bytes) in
            [(1, 1, ARRAY), (1 << 19, 8, ARENA), (1_000_000, 2, ARRAY), (4_000_000, 512, ARENA)]
        {
            let plan = Regions::plan(Sizes { flows, slots: 1024 }, cpus, bytes).expect("it fits");
            let starts = [0, plan.nic_states, plan.paces, plan.denials, plan.buckets, plan.flows, plan.end];
            assert!(starts.is_sorted() && starts.iter().all(|start| start.is_multiple_of(64)), "{plan:?}");
            assert_eq!(u64::from(plan.end - plan.flows), plan.ways() * 128);
            assert!(plan.ways() * 5 >= u64::from(flows) * 8, "{plan:?}");
            assert!(plan.end as usize + POLICY_BYTES_MIN <= bytes, "{plan:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_does() {
        let plan = |flows, slots| Regions::plan(Sizes { flows, slots }, 2, ARRAY);
        let Err(Error::Size { field: "flows", value: 4_000_000, max }) = plan(4_000_000, 8) else {
            panic!("{:?}", plan(4_000_000, 8))
        };
        plan(max, 8).expect("the largest fits");
        assert!(plan(max + 1, 8).is_err() && max > 900_000, "{max}");
        assert!(matches!(plan(0, 8), Err(Error::Size { field: "flows", .. })));
        assert!(matches!(plan(8, 0), Err(Error::Size { field: "slots", .. })));
        assert!(matches!(plan(8, 4097), Err(Error::Size { field: "slots", max: 4096, .. })));
    }

    #[test]
    fn denials_are_bounded_on_large_hosts() {
        assert_eq!([1, 64, 65, 1000, 1 << 20].map(denials_each), [4096, 4096, 2048, 256, 1]);
    }
}
