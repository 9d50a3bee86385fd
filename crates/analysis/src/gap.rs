//! A packet that some entries hold and others before them do not, found by cutting away what is held.
//!
//! The packets in question are a product of atoms, a cell. An entry that holds all of it in every field but one takes its atoms out of
//! that field; if there is none, the one that holds the most is chosen, and the cell is cut into what it does not hold in one field,
//! where a packet is the most likely, and the rest. So a cell that many entries overlap is done with after few cuts, however
//! many atoms it has, and nothing but the cells on the way is kept. It must not know what entries do. Invariant: no packet in
//! question is left out; that there is none is a proof.

#[cfg(test)]
mod tests;

use palisade_model::Truth;

use crate::{
    AnalysisError, Limits,
    bits::Bits,
    grid::{FIELDS, Product},
    walk::Walk,
};

/// A packet of `within` that comes to an entry of a walk that met it, surely or perhaps; the entry holds all of `within`.
pub(crate) fn coming(
    walk: &Walk<'_>,
    cut: usize,
    within: &Product,
    truth: Truth,
    limits: &Limits,
) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
    let start = &walk.start;
    let comes = if truth == Truth::Yes { walk.has_surely(start, cut) } else { walk.has(start, cut) };
    if !comes || within.iter().any(Bits::is_empty) {
        return Ok(None);
    }
    let mut gap = Gap::within(within);
    for before in walk.cuts(start).take_while(|before| *before != cut) {
        if truth == Truth::Yes {
            gap.add(walk.grid.holds(before, |(_, may)| may), Role::Takes);
        } else if walk.has_surely(start, before) {
            gap.add(walk.grid.holds(before, |(must, _)| must), Role::Takes);
        }
        if gap.is_closed() {
            return Ok(None);
        }
    }
    gap.add(within.each_ref(), Role::Gives);
    gap.find(limits)
}

/// What an entry is to a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Packets that it is the first to hold are not looked for.
    Takes,
    /// Packets that it is the first to hold are looked for.
    Gives,
}

/// Entries in their order, inside a cell.
pub(crate) struct Gap {
    /// Of each field the words of atoms that are not empty in the cell.
    places: [Vec<usize>; FIELDS],
    /// Where the words of each field begin among those of a cell.
    starts: [usize; FIELDS + 1],
    cell: Vec<u64>,
    /// What entries hold of the cell, a cell's words each.
    sets: Vec<u64>,
    held: Vec<Held>,
    /// Whether an entry that holds the whole cell was added, so that nothing behind matters.
    is_closed: bool,
}

/// How an entry meets a cell.
#[derive(Debug, Clone, Copy)]
struct Held {
    set: u32,
    gives: bool,
    /// The fields in which it does not hold all of the cell, a bit each.
    open: u8,
}

/// What became of a cell.
enum Found {
    Nothing,
    Packet([u32; FIELDS]),
}

impl Gap {
    /// Looks in a product that is not empty.
    pub(crate) fn within(within: &Product) -> Self {
        let places = within.each_ref().map(|atoms| {
            let words = atoms.words().iter().enumerate().filter(|(_, word)| **word != 0);
            words.map(|(place, _)| place).collect::<Vec<_>>()
        });
        let mut starts = [0; FIELDS + 1];
        for field in 0..FIELDS {
            starts[field + 1] = starts[field] + places[field].len();
        }
        let cell =
            within.iter().zip(&places).flat_map(|(atoms, places)| places.iter().map(|p| atoms.words()[*p]));
        let sets = Vec::with_capacity(EXPECTED * starts[FIELDS]);
        Self {
            cell: cell.collect(),
            places,
            starts,
            sets,
            held: Vec::with_capacity(EXPECTED),
            is_closed: false,
        }
    }

    /// Adds the next entry, as the atoms that it holds in each field.
    pub(crate) fn add(&mut self, sets: [&Bits; FIELDS], role: Role) {
        let first = self.sets.len();
        let mut held = Held {
            set: u32::try_from(self.held.len()).expect("entries are counted in 31 bits"),
            gives: role == Role::Gives,
            open: 0,
        };
        for (field, set) in sets.iter().enumerate() {
            let own = self.starts[field]..self.starts[field + 1];
            self.sets.extend(self.places[field].iter().map(|place| set.words()[*place]));
            let (meets, misses) = meet(&self.cell[own.clone()], &self.sets[first + own.start..]);
            if !meets {
                self.sets.truncate(first);
                return;
            }
            held.open |= u8::from(misses) << field;
        }
        self.is_closed = held.open == 0;
        self.held.push(held);
    }

    /// Whether nothing that would be added matters any more.
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// A packet that an entry which gives is the first to hold, as one atom a field.
    pub(crate) fn find(&self, limits: &Limits) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        let mut search = Search { gap: self, cells: 0, limits };
        Ok(match search.look(self.cell.clone(), self.held.clone())? {
            Found::Packet(path) => Some(path),
            Found::Nothing => None,
        })
    }

    fn field(&self, field: usize) -> std::ops::Range<usize> {
        self.starts[field]..self.starts[field + 1]
    }

    /// What an entry holds of a field.
    fn set(&self, held: &Held, field: usize) -> &[u64] {
        let first = held.set as usize * self.cell.len();
        &self.sets[first..][self.field(field)]
    }

    /// One packet of the cell that an entry holds.
    fn packet(&self, cell: &[u64], held: &Held) -> [u32; FIELDS] {
        std::array::from_fn(|field| {
            let words = cell[self.field(field)].iter().zip(self.set(held, field)).zip(&self.places[field]);
            let first = words.map(|((cell, set), place)| (cell & set, *place)).find(|(word, _)| *word != 0);
            let (word, place) = first.expect("an entry that is left holds some of every field");
            u32::try_from(place * 64).expect("atoms are counted in 32 bits") + word.trailing_zeros()
        })
    }
}

/// So many entries usually meet a cell.
const EXPECTED: usize = 64;
/// Of so many entries that are open in the fewest fields the largest is chosen: more are not worth being measured.
const COMPARED: usize = 4;
/// What an entry costs beside the words of a field, in words.
const WORDS_MORE: usize = 8;

/// A search under way.
struct Search<'g> {
    gap: &'g Gap,
    cells: usize,
    limits: &'g Limits,
}

impl Search<'_> {
    fn look(&mut self, mut cell: Vec<u64>, mut held: Vec<Held>) -> Result<Found, AnalysisError> {
        loop {
            self.cells += 1;
            if self.cells > self.limits.states {
                return Err(AnalysisError::TooComplex { states: self.limits.states });
            }
            let Some(first) = settle(&mut held) else { return Ok(Found::Nothing) };
            if first == 0 {
                return Ok(Found::Packet(self.gap.packet(&cell, &held[0])));
            }
            match self.take_out(&mut cell, &mut held, first) {
                Some(true) => continue,
                Some(false) => return Ok(Found::Nothing),
                None => {}
            }
            let (chosen, field) = self.choose(&cell, &held[..first]);
            let (mut outside, mut left) = (cell.clone(), held.clone());
            if self.narrow(&mut outside, &mut left, chosen, (field, false))
                && let Found::Packet(path) = self.look(outside, left)?
            {
                return Ok(Found::Packet(path));
            }
            self.narrow(&mut cell, &mut held, chosen, (field, true));
        }
    }

    /// Takes out what entries hold that are open in one field, of the first so many; whether something is left, nothing if
    /// there is no such entry.
    fn take_out(&self, cell: &mut [u64], held: &mut Vec<Held>, first: usize) -> Option<bool> {
        let mut narrowed = 0;
        for taken in held[..first].iter().filter(|held| held.open.is_power_of_two()) {
            let field = taken.open.trailing_zeros() as usize;
            let own = &mut cell[self.gap.field(field)];
            own.iter_mut().zip(self.gap.set(taken, field)).for_each(|(cell, set)| *cell &= !set);
            narrowed |= taken.open;
        }
        let mut fields = (0..FIELDS).filter(|field| narrowed >> field & 1 == 1);
        (narrowed != 0).then(|| fields.all(|field| self.meet_again(cell, held, field)))
    }

    /// An entry that holds much of a cell, and the field in which it holds little.
    fn choose(&self, cell: &[u64], held: &[Held]) -> (usize, usize) {
        let count = |words: &mut dyn Iterator<Item = u64>| words.map(u64::count_ones).sum::<u32>() as f32;
        let size = |field: usize| count(&mut cell[self.gap.field(field)].iter().copied());
        let sizes: [f32; FIELDS] = std::array::from_fn(size);
        let part = |held: &Held, field: usize| {
            let pairs = cell[self.gap.field(field)].iter().zip(self.gap.set(held, field));
            count(&mut pairs.map(|(cell, set)| cell & set)) / sizes[field]
        };
        let open = |held: &Held| {
            let open = held.open;
            (0..FIELDS).filter(move |field| open >> field & 1 == 1)
        };
        let fewest = held.iter().map(|held| held.open.count_ones()).min().expect("something takes");
        let nearly = held.iter().enumerate().filter(|(_, held)| held.open.count_ones() == fewest);
        let parts = nearly.take(COMPARED).map(|(place, held)| {
            let all = open(held).map(|field| part(held, field)).product::<f32>();
            (place, all)
        });
        let most = parts.max_by(|one, other| one.1.total_cmp(&other.1));
        let (chosen, _) = most.expect("something takes");
        // A field of many words costs more at every entry.
        let costs = open(&held[chosen]).map(|field| {
            let words = (self.gap.field(field).len() + WORDS_MORE) as f32;
            (field, part(&held[chosen], field) * words)
        });
        let least = costs.min_by(|one, other| one.1.total_cmp(&other.1));
        (chosen, least.expect("a field is open").0)
    }

    /// Leaves of a field of the cell what an entry holds there, or what it does not; whether something is left.
    fn narrow(
        &self,
        cell: &mut [u64],
        held: &mut Vec<Held>,
        by: usize,
        (field, inside): (usize, bool),
    ) -> bool {
        let flip = if inside { 0 } else { u64::MAX };
        let own = &mut cell[self.gap.field(field)];
        own.iter_mut().zip(self.gap.set(&held[by], field)).for_each(|(cell, set)| *cell &= set ^ flip);
        self.meet_again(cell, held, field)
    }

    /// Compares entries with a cell that became smaller in a field; whether something is left of it.
    fn meet_again(&self, cell: &[u64], held: &mut Vec<Held>, field: usize) -> bool {
        let own = &cell[self.gap.field(field)];
        if own.iter().all(|word| *word == 0) {
            return false;
        }
        held.retain_mut(|held| {
            if held.open >> field & 1 == 0 {
                return true;
            }
            let (meets, misses) = meet(own, self.gap.set(held, field));
            held.open &= !(u8::from(!misses) << field);
            meets
        });
        true
    }
}

/// Whether a set has some of a field of a cell, and whether it has not all.
fn meet(cell: &[u64], set: &[u64]) -> (bool, bool) {
    let words = cell.iter().zip(set);
    let (meets, misses) =
        words.fold((0, 0), |(meets, misses), (cell, set)| (meets | cell & set, misses | cell & !set));
    (meets != 0, misses != 0)
}

/// Leaves out what cannot matter: what stands behind an entry that holds the whole cell, and what takes when nothing gives after
/// it. The place of the first that gives; nothing if none does.
fn settle(held: &mut Vec<Held>) -> Option<usize> {
    if let Some(last) = held.iter().position(|held| held.open == 0) {
        held.truncate(last + 1);
    }
    let last = held.iter().rposition(|held| held.gives)?;
    held.truncate(last + 1);
    held.iter().position(|held| held.gives)
}
