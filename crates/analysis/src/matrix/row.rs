//! One row: what the rule lists of one place say of every peer and every service at once.
//!
//! Each list is asked from its first turn to its last. Of every peer is kept which services may still come to the next turn;
//! what is left open makes them go on and be decided at once, as in [`palisade_classify::oracle`]. It must not know who the
//! peers are. Invariant: of every service of every peer it is said that it may pass, that it may be dropped, or both.

use palisade_model::{Access, Layer};

use super::{interner::Interner, places::Places, services::Services};

/// One turn of a list, in numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// The set of addresses of the machine's own side.
    pub(super) local: u32,
    /// The set of addresses of the peer.
    pub(super) remote: u32,
    /// What it says of services.
    pub(super) shape: u32,
    /// What it does; `None` if that is not known.
    pub(super) access: Option<Access>,
    pub(super) certain: bool,
}

/// One rule list, in numbers.
#[derive(Debug, Clone)]
pub(super) struct TurnList {
    pub(super) layer: Layer,
    pub(super) certain: bool,
    /// False for one in audit.
    pub(super) is_asked: bool,
    pub(super) turns: Vec<Turn>,
}

/// Memory of the walk, used again from row to row: for each peer a set of services.
#[derive(Debug)]
pub(super) struct Scratch {
    words: usize,
    /// Comes to this list.
    reach: Vec<u64>,
    /// Comes to the next turn.
    rest: Vec<u64>,
    /// Comes to the next list.
    go: Vec<u64>,
    drop: Vec<u64>,
    pass: Vec<u64>,
    /// Peers of which anything comes to the next turn.
    alive: Vec<u64>,
}

impl Scratch {
    pub(super) fn new(places: &Places, services: &Services) -> Self {
        let empty = || vec![0; places.len() * services.words];
        Self {
            words: services.words,
            reach: empty(),
            rest: empty(),
            go: empty(),
            drop: empty(),
            pass: empty(),
            alive: Vec::new(),
        }
    }

    /// Asks lists in their order, and numbers what they say of each peer: the services that may pass, then those that may be
    /// dropped.
    pub(super) fn row(
        &mut self,
        lists: &[&TurnList],
        own: usize,
        (places, services): (&Places, &Services),
        outcomes: &mut Interner,
    ) -> Vec<u32> {
        let all = services.all();
        self.reach.chunks_mut(self.words).for_each(|peer| peer.copy_from_slice(&all));
        self.pass.fill(0);
        self.drop.fill(0);
        for list in lists {
            self.list(list, own, places, services);
        }
        let mut key = vec![0; 2 * self.words];
        let peers = self.pass.chunks(self.words).zip(self.reach.chunks(self.words));
        let peers = peers.zip(self.drop.chunks(self.words));
        let number = |((pass, reach), drop): ((&[u64], &[u64]), &[u64])| {
            for word in 0..self.words {
                key[word] = pass[word] | reach[word];
                key[self.words + word] = drop[word];
            }
            outcomes.number(&key)
        };
        peers.map(number).collect()
    }

    fn list(&mut self, list: &TurnList, own: usize, places: &Places, services: &Services) {
        self.rest.copy_from_slice(&self.reach);
        self.go.fill(0);
        self.alive.clear();
        self.alive.resize(places.len().div_ceil(64), 0);
        for (peer, rest) in self.rest.chunks(self.words).enumerate() {
            let is_alive = rest.iter().any(|word| *word != 0);
            self.alive[peer / 64] |= u64::from(is_alive) << (peer % 64);
        }
        for turn in &list.turns {
            if places.may(turn.local).contains(own) {
                let sure = turn.certain && places.must(turn.local).contains(own);
                self.turn(turn, sure, places, services);
            }
        }
        for (index, rest) in self.rest.iter().enumerate() {
            // Silence of an NSG closes; that of admin rules leaves the flow to the next list.
            match list.layer {
                Layer::Admin => self.go[index] |= rest,
                _ => self.drop[index] |= rest,
            }
            if !list.certain {
                self.go[index] |= self.reach[index];
            }
        }
        std::mem::swap(&mut self.reach, &mut self.go);
    }

    /// One turn for every peer that may come to it. `sure` says that the machine's own side surely matches.
    fn turn(&mut self, turn: &Turn, sure: bool, places: &Places, services: &Services) {
        let (may, must) = (services.may(turn.shape), services.must(turn.shape));
        let surely = places.must(turn.remote).words();
        if let ([may], [must], Some(access)) = (may, must, turn.access) {
            let closes = sure.then_some((*must, surely));
            return self.small(access, *may, closes, places.may(turn.remote).words());
        }
        for (place, peers) in places.may(turn.remote).words().iter().enumerate() {
            let mut left = peers & self.alive[place];
            while left != 0 {
                let bit = left & left.wrapping_neg();
                left ^= bit;
                let peer = place * 64 + bit.trailing_zeros() as usize;
                let closes = sure && surely[place] & bit != 0;
                if self.peer(peer, turn.access, may, if closes { must } else { &[] }) {
                    self.alive[place] ^= bit;
                }
            }
        }
    }

    /// The same of a turn that is known to do something, where sets of services are one word: most of a matrix's time is spent
    /// here. `closes` is what does not come to the next turn, of peers that surely match.
    fn small(&mut self, access: Access, may: u64, closes: Option<(u64, &[u64])>, peers: &[u64]) {
        let into = match access {
            Access::Allow => &mut self.go,
            Access::Deny => &mut self.drop,
            Access::AlwaysAllow => &mut self.pass,
        };
        for (place, peers) in peers.iter().enumerate() {
            let (must, surely) = closes.map_or((0, 0), |(must, surely)| (must, surely[place]));
            let mut left = peers & self.alive[place];
            while left != 0 {
                let bit = left & left.wrapping_neg();
                left ^= bit;
                let peer = place * 64 + bit.trailing_zeros() as usize;
                let rest = &mut self.rest[peer];
                into[peer] |= *rest & may;
                *rest &= if surely & bit == 0 { u64::MAX } else { !must };
                self.alive[place] ^= if *rest == 0 { bit } else { 0 };
            }
        }
    }

    /// One turn for one peer; whether nothing of it comes to the next.
    fn peer(&mut self, peer: usize, access: Option<Access>, may: &[u64], closed: &[u64]) -> bool {
        let start = peer * self.words;
        let mut left = 0;
        for (word, may) in may.iter().enumerate() {
            let at = start + word;
            let hit = self.rest[at] & may;
            match access {
                Some(Access::Allow) => self.go[at] |= hit,
                Some(Access::Deny) => self.drop[at] |= hit,
                Some(Access::AlwaysAllow) => self.pass[at] |= hit,
                None => {
                    self.go[at] |= hit;
                    self.drop[at] |= hit;
                }
            }
            self.rest[at] &= !closed.get(word).copied().unwrap_or_default();
            left |= self.rest[at];
        }
        left == 0
    }
}
