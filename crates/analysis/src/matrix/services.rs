//! Services of a family: protocols and ports, cut into atoms that no rule tells apart.
//!
//! Protocol, destination port and source port are three fields of each kind of packet; combinations that are in the same rules
//! are one atom, so that a set of services is a few words of bits. It must not know addresses. Invariant: the atoms part all
//! combinations, and what every rule matches is a union of atoms.

use std::collections::HashMap;

use palisade_model::{Maybe, PlatformService, Ports};
use palisade_net::{Family, Protocol, ProtocolMatch};

use crate::{
    AnalysisError, Limits,
    atoms::Atoms,
    bits::Bits,
    entry::{Between, Domains, Entry},
    grid::Interned,
    space::{Field, Space},
};

/// Protocol, destination port, source port: as entries give them.
pub(super) const FIELDS: [Field; 3] = [Field::Protocol, Field::DestinationPort, Field::SourcePort];

/// What a rule says of services; rules that say the same share a shape.
type Key<'a> = Option<(Maybe<ProtocolMatch>, &'a Ports, &'a Ports)>;

/// For each field, the numbers of what surely and what possibly matches.
type Sets = [(u32, u32); 3];

/// Shapes under collection.
pub(super) struct Shapes<'a> {
    kinds: Vec<(Domains, [Interned<'a, u16>; 3])>,
    known: HashMap<(Key<'a>, Option<PlatformService>), u32>,
    /// For each shape, its sets in each kind where it matches something.
    sets: Vec<Vec<Option<Sets>>>,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(family: Family) -> Self {
        let spaces = Space::all().filter(|space| space.family == family);
        let kinds = spaces.map(|space| (Domains::of(space), Default::default())).collect();
        Self { kinds, known: HashMap::new(), sets: Vec::new() }
    }

    /// The shape of an entry.
    pub(super) fn number(&mut self, entry: &Entry<'a>) -> u32 {
        let key = entry.rule.map(|rule| (rule.protocol, &rule.destination_ports, &rule.source_ports));
        let key = (key, entry.service.map(|(service, _)| service));
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let in_kind = |(domains, interned): &mut (Domains, [Interned<'a, u16>; 3])| {
            let small = entry.small(domains)?.map(Between::into_owned);
            let mut numbers = small.into_iter().zip(interned).map(|(set, known)| known.both(set));
            Some(std::array::from_fn(|_| numbers.next().expect("there are three fields")))
        };
        let sets = self.kinds.iter_mut().map(in_kind).collect();
        let number = u32::try_from(self.sets.len()).expect("fewer shapes than rules can be");
        self.sets.push(sets);
        self.known.insert(key, number);
        number
    }

    /// The atoms.
    pub(super) fn finish(self, limits: &Limits) -> Result<Services, AnalysisError> {
        let shapes = self.sets.len();
        let mut services = Services {
            kinds: Vec::new(),
            combinations: Vec::new(),
            atoms: Vec::new(),
            sets: Vec::new(),
            words: 0,
        };
        let mut holders: Vec<(Bits, Bits)> = Vec::new();
        for (number, (domains, interned)) in self.kinds.into_iter().enumerate() {
            let space = domains.space;
            let fields: [Atoms; 3] = std::array::from_fn(|field| {
                let preferred = space.preferred(FIELDS[field], palisade_net::Direction::Inbound, &[]);
                interned[field].atoms(domains.of_field(FIELDS[field]), &preferred)
            });
            let cells: usize = fields.iter().map(Atoms::len).product();
            if cells > limits.states {
                return Err(AnalysisError::TooComplex { states: limits.states });
            }
            let members = Members::of(&fields, self.sets.iter().map(|kinds| kinds[number]), shapes);
            services.cut(number, &fields, &members, &mut holders);
            services.kinds.push((space, fields));
        }
        services.words = services.atoms.len().div_ceil(64);
        services.sets = (0..shapes).map(|shape| services.members(shape, &holders)).collect();
        Ok(services)
    }
}

/// For each atom of each field, the shapes that it surely and possibly is in.
struct Members {
    must: [Vec<Bits>; 3],
    may: [Vec<Bits>; 3],
}

impl Members {
    fn of(fields: &[Atoms; 3], sets: impl Iterator<Item = Option<Sets>>, shapes: usize) -> Self {
        let empty = || std::array::from_fn(|field: usize| vec![Bits::none(shapes); fields[field].len()]);
        let mut this = Self { must: empty(), may: empty() };
        for (shape, sets) in sets.enumerate() {
            for (field, (must, may)) in sets.into_iter().flatten().enumerate() {
                fields[field].members(must).iter().for_each(|atom| this.must[field][atom].insert(shape));
                fields[field].members(may).iter().for_each(|atom| this.may[field][atom].insert(shape));
            }
        }
        this
    }

    /// The shapes that hold a combination surely and possibly.
    fn holders(&self, cell: [usize; 3]) -> (Bits, Bits) {
        let [must, may] = [&self.must, &self.may].map(|fields| {
            fields[0][cell[0]].intersection(&fields[1][cell[1]]).intersection(&fields[2][cell[2]])
        });
        (must, may)
    }
}

/// Combinations that no rule tells apart.
#[derive(Debug)]
pub(super) struct Service {
    /// Index in [`Services::kinds`].
    pub(super) kind: usize,
    /// An atom a field.
    pub(super) cells: Vec<[usize; 3]>,
}

/// All services of a family.
#[derive(Debug)]
pub(super) struct Services {
    /// The kinds of packets, with the atoms of their fields.
    pub(super) kinds: Vec<(Space, [Atoms; 3])>,
    /// For each kind the atom of every combination, the last field counting fastest.
    combinations: Vec<Vec<usize>>,
    /// The atoms.
    pub(super) atoms: Vec<Service>,
    /// For each shape, the atoms that it surely and possibly matches.
    sets: Vec<[Box<[u64]>; 2]>,
    /// Words of a set of atoms.
    pub(super) words: usize,
}

impl Services {
    /// All atoms.
    pub(super) fn all(&self) -> Vec<u64> {
        Bits::all(self.atoms.len()).words().to_vec()
    }

    /// The atoms that a shape surely matches.
    pub(super) fn must(&self, shape: u32) -> &[u64] {
        &self.sets[shape as usize][0]
    }

    /// The atoms that a shape may match.
    pub(super) fn may(&self, shape: u32) -> &[u64] {
        &self.sets[shape as usize][1]
    }

    /// The atom of a protocol, a port that receives or a type, and a port that sends; both ports are 0 where there is none.
    pub(super) fn at(&self, protocol: Protocol, port: u16, source_port: u16) -> usize {
        let mut kinds = self.kinds.iter().zip(&self.combinations);
        let ((_, fields), combinations) =
            kinds.find(|((space, _), _)| space.holds(protocol)).expect("every protocol is of one kind");
        let values = [u128::from(protocol.0), port.into(), source_port.into()];
        let place = fields.iter().zip(values).fold(0, |place, (field, value)| {
            let (atom, _, _) = field.meeting(value, value).next().expect("the packet is of its kind");
            place * field.len() + atom
        });
        combinations[place]
    }

    fn cut(&mut self, kind: usize, fields: &[Atoms; 3], members: &Members, holders: &mut Vec<(Bits, Bits)>) {
        let mut known: HashMap<(Bits, Bits), usize> = HashMap::new();
        let mut combinations = Vec::new();
        for protocol in 0..fields[0].len() {
            for to in 0..fields[1].len() {
                for from in 0..fields[2].len() {
                    let cell = [protocol, to, from];
                    let atom = *known.entry(members.holders(cell)).or_insert_with_key(|key| {
                        holders.push(key.clone());
                        self.atoms.push(Service { kind, cells: Vec::new() });
                        self.atoms.len() - 1
                    });
                    self.atoms[atom].cells.push(cell);
                    combinations.push(atom);
                }
            }
        }
        self.combinations.push(combinations);
    }

    fn members(&self, shape: usize, holders: &[(Bits, Bits)]) -> [Box<[u64]>; 2] {
        let mut sets = [vec![0; self.words], vec![0; self.words]];
        for (atom, (must, may)) in holders.iter().enumerate() {
            let bit = 1 << (atom % 64);
            for (set, holders) in sets.iter_mut().zip([must, may]) {
                set[atom / 64] |= if holders.contains(shape) { bit } else { 0 };
            }
        }
        sets.map(Vec::into_boxed_slice)
    }
}
