//! The cells: what passes from each end to each other.
//!
//! Out of the sender and into the receiver, for every pair of places where the two may be. It must not ask a rule: rows are
//! asked already. Rows into receivers are kept by place, so that a row of cells reads both tables in order.

use std::ops::Range;

use super::{
    ends::Node,
    interner::Interner,
    plan::{EVERYTHING, FamilyPlan, NOTHING, Rows},
    routes::Route,
};
use crate::Terms;

/// A set of services of one family's matrix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceSet(Box<[u64]>);

impl ServiceSet {
    pub(super) fn new(words: &[u64]) -> Self {
        Self(words.into())
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Services of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// Services of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }
}

/// What one end may send to another. Services in none of the sets are denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Services that pass.
    pub allowed: ServiceSet,
    /// Services that pass from or to some addresses of a peer outside, and not from or to all.
    pub partly: ServiceSet,
    /// Services of which the estate does not tell whether they pass.
    pub unknown: ServiceSet,
    /// Whether the network takes packets there.
    pub route: Route,
}

impl Cell {
    /// Whether nothing passes, for sure.
    pub fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.partly.is_empty() && self.unknown.is_empty()
    }

    /// The same of some services only.
    #[must_use]
    pub fn within(self, services: &ServiceSet) -> Self {
        let cut = |set: &ServiceSet| set.intersection(services);
        Self {
            allowed: cut(&self.allowed),
            partly: cut(&self.partly),
            unknown: cut(&self.unknown),
            route: self.route,
        }
    }
}

/// All cells of a family, to be asked for.
#[derive(Debug)]
pub struct Matrix<'p> {
    plan: &'p FamilyPlan,
    outcomes: Interner,
    /// Out of each row's place to each place.
    out: Vec<u32>,
    /// From each place into each row's place.
    into: Vec<u32>,
}

/// Cells between classes of interfaces, of some senders: what passes from each to every one.
#[derive(Debug)]
pub struct Part {
    /// The senders.
    pub from: Range<usize>,
    /// Receivers.
    width: usize,
    cells: Kept,
}

/// How cells are kept: what is small stands as it is, what is large under a number.
#[derive(Debug)]
enum Kept {
    /// Words that may pass, cell after cell; everything is known, so that the others are dropped.
    Known { words: usize, all: Vec<u64>, cells: Vec<u64> },
    /// Numbers of outcomes.
    Numbered { outcomes: Interner, cells: Vec<u32> },
}

/// Words of a cell up to which it is kept as it is.
const WORDS_MAX: usize = 2;

impl FamilyPlan {
    /// The cells, from all rows.
    ///
    /// # Panics
    /// If a row is missing or is there twice.
    pub fn join(&self, parts: Vec<Rows>) -> Matrix<'_> {
        let (places, outward) = (self.places.len(), self.sites[0].len());
        let inward = self.sites[1].len();
        let mut outcomes = self.no_outcomes();
        let mut out = vec![NOTHING; outward * places];
        let mut into = vec![NOTHING; inward * places];
        let mut found = 0;
        for part in parts {
            found += part.range.len();
            let renumbered: Vec<u32> = part.outcomes.all().map(|old| outcomes.number(old)).collect();
            let number = |old: &u32| renumbered[*old as usize];
            for (row, numbers) in part.range.zip(part.numbers.chunks(places.max(1))) {
                match row.checked_sub(outward) {
                    None => {
                        let new = &mut out[row * places..][..places];
                        new.iter_mut().zip(numbers).for_each(|(new, old)| *new = number(old));
                    }
                    Some(site) => {
                        let new = into.iter_mut().skip(site).step_by(inward);
                        new.zip(numbers).for_each(|(new, old)| *new = number(old));
                    }
                }
            }
        }
        assert_eq!(found, self.row_count(), "every row is asked once");
        Matrix { plan: self, outcomes, out, into }
    }
}

/// What one pair of places, or several together, may do: services that may pass, and that may be dropped.
#[derive(Debug, Clone)]
struct Fate {
    pass: Vec<u64>,
    drop: Vec<u64>,
}

impl Fate {
    fn none(words: usize) -> Self {
        Self { pass: vec![0; words], drop: vec![0; words] }
    }

    fn unite(&mut self, other: &Self) {
        self.pass.iter_mut().zip(&other.pass).for_each(|(a, b)| *a |= b);
        self.drop.iter_mut().zip(&other.drop).for_each(|(a, b)| *a |= b);
    }
}

impl Matrix<'_> {
    /// What one end may send to another. Of two peers outside nothing is known: what is between them is not here.
    pub fn cell(&self, from: usize, to: usize) -> Cell {
        let words = self.plan.services.words;
        let (sender, receiver) = (&self.plan.nodes[from], &self.plan.nodes[to]);
        let (mut all, mut sure) = (Fate::none(words), vec![0; words]);
        for group in pairs(sender, receiver) {
            let mut fate = Fate::none(words);
            group.into_iter().for_each(|pair| fate.unite(&self.pair((sender, receiver), pair)));
            all.unite(&fate);
            let passed = fate.pass.iter().zip(&fate.drop).map(|(pass, drop)| pass & !drop);
            sure.iter_mut().zip(passed).for_each(|(sure, passed)| *sure |= passed);
        }
        let set = |word: &dyn Fn(usize) -> u64| ServiceSet((0..words).map(word).collect());
        let open = |word: usize| all.pass[word] & all.drop[word];
        Cell {
            allowed: set(&|word| all.pass[word] & !all.drop[word]),
            partly: set(&|word| open(word) & sure[word]),
            unknown: set(&|word| open(word) & !sure[word]),
            route: self.plan.route(from, to),
        }
    }

    /// What may happen between two places of two ends.
    fn pair(&self, (from, to): (&Node, &Node), (sends, receives): (usize, usize)) -> Fate {
        let places = self.plan.places.len();
        let inward = self.plan.sites[1].len();
        let out = from.sites[0]
            .get(sends)
            .map_or(EVERYTHING, |site| self.out[*site as usize * places + to.places[receives].0]);
        let into = to.sites[1]
            .get(receives)
            .map_or(EVERYTHING, |site| self.into[from.places[sends].0 * inward + *site as usize]);
        let words = self.plan.services.words;
        let (out, into) = (self.outcomes.get(out), self.outcomes.get(into));
        Fate {
            pass: (0..words).map(|word| out[word] & into[word]).collect(),
            drop: (words..2 * words).map(|word| out[word] | into[word]).collect(),
        }
    }

    /// A set of services in words.
    pub fn words(&self, services: &ServiceSet) -> Terms {
        self.plan.services.words(services.words())
    }

    /// The services that were asked about, together; all if none were.
    pub fn asked(&self) -> ServiceSet {
        self.plan.asked()
    }

    /// Every cell from some classes of interfaces to all of them. Ranges can be worked on apart.
    pub fn part(&self, from: Range<usize>) -> Part {
        let ends: Vec<&Node> = self.plan.nodes.iter().filter(|node| !node.is_outside()).collect();
        let is_known = self.outcomes.all().all(|outcome| {
            let (pass, drop) = outcome.split_at(outcome.len() / 2);
            pass.iter().zip(drop).all(|(pass, drop)| pass & drop == 0)
        });
        let is_single = ends.iter().all(|node| node.places.len() == 1);
        let cells = match self.plan.services.words {
            words if is_known && is_single && words <= WORDS_MAX => self.known(&ends, from.clone()),
            _ => self.numbered(&ends, from.clone()),
        };
        Part { from, width: ends.len(), cells }
    }

    /// The cells, where everything is known: conjunctions of what passes.
    fn known(&self, ends: &[&Node], from: Range<usize>) -> Kept {
        let (places, inward) = (self.plan.places.len(), self.plan.sites[1].len());
        let words = self.plan.services.words;
        let pass: Vec<u64> =
            self.outcomes.all().flat_map(|outcome| outcome[..words].iter().copied()).collect();
        let singles: Vec<(usize, usize)> =
            ends.iter().map(|node| (node.places[0].0, node.sites[1][0] as usize)).collect();
        let mut cells = Vec::with_capacity(from.len() * ends.len() * words);
        for sender in &ends[from] {
            let out = &self.out[sender.sites[0][0] as usize * places..][..places];
            let into = &self.into[sender.places[0].0 * inward..][..inward];
            for (place, site) in &singles {
                let (a, b) = (out[*place] as usize * words, into[*site] as usize * words);
                cells.extend((0..words).map(|word| pass[a + word] & pass[b + word]));
            }
        }
        Kept::Known { words, all: self.plan.services.all(), cells }
    }

    fn numbered(&self, ends: &[&Node], from: Range<usize>) -> Kept {
        let (places, inward) = (self.plan.places.len(), self.plan.sites[1].len());
        let single = |node: &&Node| match (&node.places[..], &node.sites[1][..]) {
            ([(place, _)], [site]) => Some((*place, *site as usize)),
            _ => None,
        };
        let singles: Vec<Option<(usize, usize)>> = ends.iter().map(single).collect();
        let mut both = Both { outcomes: self.outcomes.clone(), key: vec![0; 2 * self.plan.services.words] };
        let mut cells = Vec::with_capacity(from.len() * ends.len());
        for sender in from {
            let own = singles[sender].map(|(place, _)| {
                let site = ends[sender].sites[0][0] as usize;
                (&self.out[site * places..][..places], &self.into[place * inward..][..inward])
            });
            for (receiver, single) in singles.iter().enumerate() {
                cells.push(match (own, single) {
                    (Some((out, into)), Some((place, site))) => both.number(out[*place], into[*site]),
                    _ => both.number_of(&self.all((ends[sender], ends[receiver]))),
                });
            }
        }
        Kept::Numbered { outcomes: both.outcomes, cells }
    }

    /// What may happen between all places of two interfaces.
    fn all(&self, ends: (&Node, &Node)) -> Fate {
        let mut fate = Fate::none(self.plan.services.words);
        let pairs = pairs(ends.0, ends.1).into_iter().flatten();
        pairs.for_each(|pair| fate.unite(&self.pair(ends, pair)));
        fate
    }

    /// How many different outcomes rows have.
    pub const fn outcome_count(&self) -> usize {
        self.outcomes.len()
    }

    /// Bytes on the heap: both tables, and what they hold.
    pub fn bytes(&self) -> usize {
        let tables = (self.out.capacity() + self.into.capacity()) * size_of::<u32>();
        tables + self.outcomes.bytes() + self.plan.places.bytes()
    }

    /// The plan that it is of.
    pub(super) const fn plan(&self) -> &FamilyPlan {
        self.plan
    }
}

/// Pairs of places of a sender and a receiver, those of one address of a peer outside together: an interface has one address,
/// whichever it is, and a peer outside has all of them.
fn pairs(from: &Node, to: &Node) -> Vec<Vec<(usize, usize)>> {
    let (senders, receivers) = (0..from.places.len(), 0..to.places.len());
    if from.is_outside() {
        return senders.map(|a| receivers.clone().map(|b| (a, b)).collect()).collect();
    }
    if to.is_outside() {
        return receivers.map(|b| senders.clone().map(|a| (a, b)).collect()).collect();
    }
    vec![senders.flat_map(|a| receivers.clone().map(move |b| (a, b))).collect()]
}

/// Numbers conjunctions.
struct Both {
    outcomes: Interner,
    key: Vec<u64>,
}

impl Both {
    /// The number of what passes both.
    fn number(&mut self, out: u32, into: u32) -> u32 {
        match (out, into) {
            (NOTHING, _) | (_, NOTHING) => return NOTHING,
            (EVERYTHING, other) | (other, EVERYTHING) => return other,
            (one, other) if one == other => return one,
            _ => {}
        }
        let words = self.key.len() / 2;
        let (a, b) = (self.outcomes.get(out), self.outcomes.get(into));
        for word in 0..words {
            self.key[word] = a[word] & b[word];
            self.key[words + word] = a[words + word] | b[words + word];
        }
        self.outcomes.number(&self.key)
    }

    fn number_of(&mut self, fate: &Fate) -> u32 {
        let words = self.key.len() / 2;
        self.key[..words].copy_from_slice(&fate.pass);
        self.key[words..].copy_from_slice(&fate.drop);
        self.outcomes.number(&self.key)
    }
}

impl Part {
    /// How many cells there are.
    pub const fn len(&self) -> usize {
        match &self.cells {
            Kept::Known { words, cells, .. } => cells.len() / *words,
            Kept::Numbered { cells, .. } => cells.len(),
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What may pass, and what may be dropped, from one class to another.
    pub fn outcome(&self, from: usize, to: usize) -> (ServiceSet, ServiceSet) {
        let place = (from - self.from.start) * self.width + to;
        match &self.cells {
            Kept::Known { words, all, cells } => {
                let pass = &cells[place * words..][..*words];
                let drop: Vec<u64> = all.iter().zip(pass).map(|(all, pass)| all & !pass).collect();
                (ServiceSet::new(pass), ServiceSet::new(&drop))
            }
            Kept::Numbered { outcomes, cells } => {
                let words = outcomes.get(cells[place]);
                let (pass, drop) = words.split_at(words.len() / 2);
                (ServiceSet::new(pass), ServiceSet::new(drop))
            }
        }
    }

    /// Bytes on the heap.
    pub const fn bytes(&self) -> usize {
        match &self.cells {
            Kept::Known { cells, .. } => cells.capacity() * size_of::<u64>(),
            Kept::Numbered { outcomes, cells } => cells.capacity() * size_of::<u32>() + outcomes.bytes(),
        }
    }
}
