//! What is left of lists, as rows of bits, while fields are looked at one after the other.
//!
//! It must not know why packets are walked. Invariant: a row holds in each list the entries that may match before one that
//! surely does whatever the other fields are, and that one.

use crate::{
    bits::{self, Bits},
    diagram::LAST,
    grid::{Grid, Live, Product, Taken},
};

/// A way to take the entries of a grid, and what is left of them before any field is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Walk<'g> {
    pub(crate) grid: &'g Grid,
    /// Entries that are exact, and taken as if they were not.
    open: Vec<u64>,
    pub(crate) start: Vec<u64>,
}

impl<'g> Walk<'g> {
    /// The entries that `choose` takes. It may take one as if it were not sure.
    pub(crate) fn of(grid: &'g Grid, choose: impl Fn(usize) -> Option<Taken>) -> Self {
        let (words, stride) = grid.shape();
        let mut walk = Self { grid, open: vec![0; words], start: vec![0; stride] };
        for cut in 0..grid.cuts.len() {
            let Some(taken) = choose(cut) else { continue };
            let (place, bit) = grid.bit(cut);
            walk.start[place] |= bit;
            if taken == Taken::Perhaps {
                walk.open[place] |= bit;
            } else if stride > words && grid.is_certain(cut) {
                walk.start[words + place] |= bit;
            }
        }
        walk.start = walk.shortened(walk.start.clone(), 0);
        walk
    }

    /// All entries as they are, but for some that are taken as if they were not sure.
    pub(crate) fn opened(grid: &'g Grid, open: impl Iterator<Item = usize>) -> Self {
        let (words, _) = grid.shape();
        let mut walk = Self { grid, open: vec![0; words], start: grid.everybody().to_vec() };
        for (place, bit) in open.map(|cut| grid.bit(cut)) {
            walk.open[place] |= bit;
            if walk.start.len() > words {
                walk.start[words + place] &= !bit;
            }
        }
        let start = std::mem::take(&mut walk.start);
        walk.start = walk.shortened(start, 0);
        walk
    }

    /// The entries up to one, which stand in their order.
    pub(crate) fn up_to(grid: &'g Grid, cut: usize) -> Self {
        let (words, _) = grid.shape();
        let mut walk = Self { grid, open: vec![0; words], start: grid.everybody().to_vec() };
        let (place, bit) = grid.bit(cut);
        let last = place * 64 + bit.trailing_zeros() as usize + 1;
        let start = std::mem::take(&mut walk.start);
        walk.start = walk.shortened(walk.without(start, last), 0);
        walk
    }

    /// Leaves out what matches no packet of a product.
    pub(crate) fn meet(&mut self, within: &Product) {
        for (level, atoms) in within.iter().enumerate() {
            self.grid.meet(&mut self.start, level, atoms);
        }
    }

    /// The entries that may have matched.
    pub(crate) fn may<'r>(&self, row: &'r [u64]) -> &'r [u64] {
        &row[..self.open.len()]
    }

    /// Of one word of entries those that surely have matched.
    fn surely(&self, row: &[u64], place: usize) -> u64 {
        let words = self.open.len();
        if row.len() > words { row[words + place] } else { row[place] & !self.open[place] }
    }

    /// Whether an entry may have matched.
    pub(crate) fn has(&self, row: &[u64], cut: usize) -> bool {
        let (place, bit) = self.grid.bit(cut);
        row[place] & bit != 0
    }

    /// Whether an entry surely has matched.
    pub(crate) fn has_surely(&self, row: &[u64], cut: usize) -> bool {
        let (place, bit) = self.grid.bit(cut);
        self.surely(row, place) & bit != 0
    }

    /// Whether something of a set of entries may have matched.
    pub(crate) fn has_any(&self, row: &[u64], of: &Bits) -> bool {
        self.may(row).iter().zip(of.words()).any(|(row, of)| row & of != 0)
    }

    /// The entries that may have matched, in their order.
    pub(crate) fn cuts<'r>(&self, row: &'r [u64]) -> impl Iterator<Item = usize> + use<'r, 'g> {
        let grid = self.grid;
        bits::numbers(row[..self.open.len()].iter().copied()).map(move |bit| grid.cut_at(bit))
    }

    /// The same, with whether they surely have.
    pub(crate) fn lives(&self, row: &[u64]) -> Vec<Live> {
        self.cuts(row).map(|cut| Live::new(cut, !self.has_surely(row, cut))).collect()
    }

    /// Whether something of a set of entries that stand behind one may have matched.
    pub(crate) fn has_any_after(&self, row: &[u64], cut: usize, of: &Bits) -> bool {
        let (first, bit) = self.grid.bit(cut);
        let behind = |place: usize| if place == first { !(bit | (bit - 1)) } else { u64::MAX };
        let words = self.may(row).iter().zip(of.words()).enumerate().skip(first);
        words.into_iter().any(|(place, (row, of))| row & of & behind(place) != 0)
    }

    /// What is left of a row for packets of one atom of the field at `level`.
    pub(crate) fn step(&self, row: &[u64], level: usize, atom: usize, next: &mut [u64]) {
        let column = self.grid.column(level, atom);
        for ((next, row), column) in next.iter_mut().zip(row).zip(column) {
            *next = row & column;
        }
        self.shorten(next, level + 1);
    }

    /// No entry, among [`Self::firsts`].
    pub(crate) const NOTHING: u64 = u64::MAX;

    /// For each list, where every entry is exact and taken as it is: the bit of the first entry that packets of one atom of the
    /// last field match, all others having been looked at.
    pub(crate) fn firsts(&self, row: &[u64], atom: usize, firsts: &mut [u64]) {
        let column = self.grid.column(LAST, atom);
        for (first, list) in firsts.iter_mut().zip(self.grid.lists()) {
            let found = (list.start / 64..=(list.end - 1) / 64).find_map(|place| {
                let word = row[place] & column[place] & inside(place, list.start, list.end);
                (word != 0).then_some(place as u64 * 64 + u64::from(word.trailing_zeros()))
            });
            *first = found.unwrap_or(Self::NOTHING);
        }
    }

    /// Whether both of two policies that were laid out side by side have the same first entries.
    pub(crate) fn firsts_are_same(&self, firsts: &[u64]) -> bool {
        let Some(second) = self.grid.second() else { return false };
        let (before, after) = firsts.split_at(firsts.len() / 2);
        let beside = |bit: u64| if bit == Self::NOTHING { bit } else { bit + second as u64 * 64 };
        before.iter().zip(after).all(|(before, after)| beside(*before) == *after)
    }

    fn shortened(&self, mut row: Vec<u64>, level: usize) -> Vec<u64> {
        self.shorten(&mut row, level);
        row
    }

    /// Cuts each list off behind the first entry that surely matches whatever the fields from `level` on are.
    fn shorten(&self, row: &mut [u64], level: usize) {
        let closing = self.grid.closing(level).words();
        for list in self.grid.lists() {
            let places = closing.iter().enumerate().take((list.end - 1) / 64 + 1).skip(list.start / 64);
            for (place, closing) in places {
                let closers = self.surely(row, place) & closing & inside(place, list.start, list.end);
                if closers != 0 {
                    let behind = place * 64 + closers.trailing_zeros() as usize + 1;
                    self.clear(row, behind, list.end);
                    break;
                }
            }
        }
    }

    /// A row up to a bit.
    fn without(&self, mut row: Vec<u64>, from: usize) -> Vec<u64> {
        self.clear(&mut row, from, self.open.len() * 64);
        row
    }

    fn clear(&self, row: &mut [u64], from: usize, to: usize) {
        if from >= to {
            return;
        }
        let words = self.open.len();
        for place in from / 64..=(to - 1) / 64 {
            let kept = !inside(place, from, to);
            row[place] &= kept;
            if row.len() > words {
                row[words + place] &= kept;
            }
        }
    }

    /// Whether nothing after the last entry of a row is asked, `level` fields having been looked at.
    pub(crate) fn is_closed(&self, row: &[u64], level: usize) -> bool {
        let closing = self.grid.closing(level).words();
        let Some(place) = self.may(row).iter().rposition(|word| *word != 0) else { return false };
        let last = 1 << (63 - row[place].leading_zeros());
        self.surely(row, place) & closing[place] & last != 0
    }

    /// Whether one of a set of entries surely matches whatever the fields from `level` on are.
    pub(crate) fn has_closed(&self, row: &[u64], of: &Bits, level: usize) -> bool {
        let closing = self.grid.closing(level).words().iter().zip(of.words()).enumerate();
        closing.into_iter().any(|(place, (closing, of))| self.surely(row, place) & closing & of != 0)
    }

    /// Of some atoms of the last field those that not the same entries of two policies decide, which were laid out side by side;
    /// every entry must be exact. Entries that both policies have at a place take their atoms out.
    pub(crate) fn decided_apart(&self, row: &[u64], within: &Bits) -> Bits {
        let Some(second) = self.grid.second() else { return within.clone() };
        let field = self.grid.atoms(LAST);
        let mut apart = Bits::none(field.len());
        let lists = self.grid.lists();
        for list in &lists[..lists.len() / 2] {
            let mut left = within.clone();
            for place in list.start / 64..=(list.end - 1) / 64 {
                let here = inside(place, list.start, list.end);
                let (before, after) = (row[place] & here, row[second + place] & here);
                for bit in bits::numbers(std::iter::once(before | after)) {
                    let half = if before >> bit & 1 == 1 { place } else { second + place };
                    let (_, set) = self.grid.sets(self.grid.cut_at(half * 64 + bit))[LAST];
                    if (before ^ after) >> bit & 1 == 1 {
                        apart.unite(&left.intersection(field.members(set)));
                    }
                    left.subtract(field.members(set));
                }
            }
        }
        apart
    }

    /// Parts some atoms of the last field, where every entry is exact, by what comes after an entry that holds them all: calls
    /// `visit` with it and the atoms. What entries before it hold is left out.
    pub(crate) fn parts_after(
        &self,
        row: &[u64],
        cut: usize,
        mut left: Bits,
        mut visit: impl FnMut(Option<usize>, &Bits),
    ) {
        for other in self.cuts(row).filter(|other| *other != cut) {
            let (_, set) = self.grid.sets(other)[LAST];
            let set = self.grid.atoms(LAST).members(set);
            if !left.intersects(set) {
                continue;
            }
            if other > cut {
                visit(Some(other), &left.intersection(set));
            }
            left.subtract(set);
            if left.is_empty() {
                return;
            }
        }
        visit(None, &left);
    }

    /// Whether the same is left of two policies that were laid out side by side.
    pub(crate) fn halves_are_same(&self, row: &[u64]) -> bool {
        let Some(second) = self.grid.second() else { return false };
        row.chunks(self.open.len().max(1)).all(|half| half[..second] == half[second..])
    }

    /// Of some atoms of the field at `level` those for which not the same is left of two policies that were laid out side by
    /// side: only what is left of one of them can make a difference, where it matches.
    pub(crate) fn differing(&self, row: &[u64], level: usize, within: &Bits) -> Bits {
        let Some(second) = self.grid.second() else { return within.clone() };
        let field = self.grid.atoms(level);
        let mut met = Bits::none(field.len());
        for half in row.chunks(self.open.len().max(1)) {
            let (before, after) = half.split_at(second);
            let place = |place: usize, word: u64, first: usize| (word != 0).then_some((first + place, word));
            let apart = before.iter().zip(after).enumerate().flat_map(|(at, (one, other))| {
                [place(at, one & !other, 0), place(at, other & !one, second)].into_iter().flatten()
            });
            for (place, word) in apart {
                for bit in bits::numbers(std::iter::once(word)) {
                    let (_, may) = self.grid.sets(self.grid.cut_at(place * 64 + bit))[level];
                    if field.is_full(may) {
                        return within.clone();
                    }
                    met.unite(field.members(may));
                }
            }
        }
        met.intersect(within);
        met
    }
}

/// Of the bits of a word those from `from` to before `to`, counted over all words.
pub(crate) const fn inside(place: usize, from: usize, to: usize) -> u64 {
    let first = place * 64;
    let low = if from > first { u64::MAX << (from - first) } else { u64::MAX };
    let high = if to < first + 64 { (1 << (to - first)) - 1 } else { u64::MAX };
    low & high
}
