//! Lets everything that was judged be judged again, each flow on its next packet: for when time went back.
//!
//! The kernel program notes when a verdict may change as time goes on; that it goes back it cannot see. No packet may be
//! under way that still knows the other time.

use std::{mem::offset_of, sync::atomic::Ordering};

use palisade_abi::flow::{Denial, Flow};

use crate::{
    flows::FlowTable,
    memory::{mapping::Mapping, regions::Regions},
};

/// Marks every flow, and forgets every denial.
pub(crate) fn judge_all(memory: &Mapping, regions: &Regions) {
    for (way, _, _) in FlowTable::new(memory, regions).flows() {
        // Should the place change hands meanwhile, another flow is judged once more than it need be.
        memory.word(way.flow + offset_of!(Flow, recheck) as u32).store(0, Ordering::Release);
    }
    for index in 0..regions.cpus * regions.denials_each {
        let denial = regions.denials + index * size_of::<Denial>() as u32;
        memory.word(denial + offset_of!(Denial, generation) as u32).store(0, Ordering::Release);
    }
}
