//! From intervals to the grids and lists by which a key finds its interval in a few loads.
//!
//! A grid cuts the span of some starts into even steps; where a step holds one or two starts it leads to a list, where it holds
//! more, to a finer grid of its own. Since a grid covers the span of its starts and no more, leading bits that all of them
//! share cost nothing. It must not know what the entries that it leads to mean.
//! Invariant: from the entry that [`Writer::lead`] returns, every key reaches the entry of its interval.

use palisade_abi::{
    Pod,
    policy::{ENTRY_GRID, ENTRY_LIST, GRID_STEP_BITS, Grid, LIST_STARTS, NarrowList, WideList},
};

use super::encode::Sections;

/// Where an interval starts, and the entry of its keys.
pub(super) type Start = (u64, u32);

/// How wide the starts of lists are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Width {
    /// 32 bits: IPv4 addresses and ports.
    Narrow,
    /// 64 bits: halves of IPv6 addresses.
    Wide,
}

/// A start in a list costs about as much as this many bytes of grid, and one behind a further grid as this many.
const LIST_COST: usize = 10;
const LISTS_COST: usize = 40;
const GRID_COST: usize = 48;
/// A grid that leads every key further costs about as much as this many bytes.
const UNEVEN_COST: usize = 4_096;
/// The most steps of a grid, as a logarithm.
const STEPS_BITS_MAX: u32 = 16;

/// Writes grids and lists of one width.
pub(super) struct Writer<'s> {
    pub(super) sections: &'s mut Sections,
    pub(super) width: Width,
}

impl Writer<'_> {
    /// An entry that leads keys below all `starts` to `before`, and others to the entry of the last start that is not above
    /// them. Starts ascend.
    pub(super) fn lead(&mut self, before: u32, starts: &[Start]) -> u32 {
        match starts.len() {
            0 => before,
            1..=LIST_STARTS => self.list(before, starts),
            _ => self.grid(before, starts),
        }
    }

    fn list(&mut self, before: u32, starts: &[Start]) -> u32 {
        let (_, last) = starts[starts.len() - 1];
        let at = |index: usize| starts.get(index).map_or(u64::MAX, |&(start, _)| start);
        let to = |index: usize| match index.checked_sub(1) {
            None => before,
            Some(index) => starts.get(index).map_or(last, |&(_, entry)| entry),
        };
        let entries = std::array::from_fn(to);
        let offset = match self.width {
            Width::Narrow => {
                let narrow = |index| u32::try_from(at(index)).unwrap_or(u32::MAX);
                let list = NarrowList { starts: std::array::from_fn(narrow), entries, reserved: 0 };
                self.sections.append(list.as_bytes())
            }
            Width::Wide => {
                let list = WideList { starts: std::array::from_fn(at), entries, reserved: 0 };
                self.sections.append(list.as_bytes())
            }
        };
        offset | ENTRY_LIST
    }

    fn grid(&mut self, mut before: u32, starts: &[Start]) -> u32 {
        let (first, last) = (starts[0].0, starts[starts.len() - 1].0);
        let shift = cheapest_shift(starts);
        let base = first >> shift << shift;
        let steps = ((last - base) >> shift) + 1;
        let (below, mut rest) = (before, starts);
        let mut entries = Vec::new();
        for step in 0..steps {
            let count = rest.iter().take_while(|(start, _)| (start - base) >> shift == step).count();
            let (mut inside, after) = rest.split_at(count);
            rest = after;
            if let Some(&(start, entry)) = inside.first()
                && start == base + (step << shift)
            {
                before = entry;
                inside = &inside[1..];
            }
            entries.push(self.lead(before, inside));
            before = inside.last().map_or(before, |&(_, entry)| entry);
        }
        entries.extend([before, below]);
        let grid = Grid { base, shift, steps: steps as u32 };
        let mut bytes = grid.as_bytes().to_vec();
        entries.iter().for_each(|entry| bytes.extend_from_slice(&entry.to_le_bytes()));
        self.sections.append(&bytes) | ENTRY_GRID
    }
}

/// The width of steps that costs least, as a logarithm. At least [`GRID_STEP_BITS`] bits of the span are settled.
fn cheapest_shift(starts: &[Start]) -> u32 {
    let span_bits = u64::BITS - (starts[starts.len() - 1].0 - starts[0].0).leading_zeros();
    let shifts = (GRID_STEP_BITS..=STEPS_BITS_MAX).map(|bits| span_bits.saturating_sub(bits));
    shifts.min_by_key(|&shift| cost(starts, shift)).expect("there are shifts to choose from")
}

/// What a grid with steps of this width costs: its bytes, and the work that is left behind it.
fn cost(starts: &[Start], shift: u32) -> usize {
    let steps = ((starts[starts.len() - 1].0 >> shift) - (starts[0].0 >> shift) + 1) as usize;
    let mut uneven = 0;
    let behind = starts.chunk_by(|a, b| a.0 >> shift == b.0 >> shift).map(|chunk| {
        let (first, _) = chunk[0];
        let inside = chunk.len() - usize::from(first >> shift << shift == first);
        uneven += usize::from(inside > 0);
        match inside {
            0 => 0,
            1..=LIST_STARTS => LISTS_COST + inside * LIST_COST,
            _ => inside * GRID_COST,
        }
    });
    let behind = behind.sum::<usize>();
    size_of::<u32>() * steps + behind + UNEVEN_COST * uneven / steps
}
