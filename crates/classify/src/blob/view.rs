//! Lookups in a checked blob: the software model of the kernel program.
//!
//! Every lookup reads the encoded bytes by offset and index, in the order in which the kernel program reads them.

use std::{iter, net::IpAddr};

use palisade_abi::{
    policy::{
        ADDRESSES_V4, ADDRESSES_V6, ENTRY_GRID, ENTRY_HALF, ENTRY_KIND, ENTRY_LIST, Grid, LIST_STARTS,
        NarrowList, PolicyHeader, Record, SET_ALLOW, SET_ALWAYS, SET_AUDIT, SET_WHOLE, TIME_NEVER, WideList,
    },
    verdict::Action,
};
use palisade_net::{Flow, Protocol};

use super::{check, error::BlobError, reader::Reader};
use crate::table::has_values;

/// A policy blob whose every offset, count and entry was checked.
#[derive(Debug, Clone, Copy)]
pub struct BlobView<'a> {
    reader: Reader<'a>,
    header: PolicyHeader,
}

/// What a rule list says of the first packet of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// The first rule that matches and is not in audit, and what it does.
    pub rule: Option<(usize, Action)>,
    /// The first rule in audit that matches, if it stands before that one.
    pub shadow: Option<(usize, Action)>,
    /// The second at which the answer may change by itself.
    pub recheck: Option<u32>,
    /// The second in which the rule that decides ends.
    pub until: Option<u32>,
}

/// What a rule list says of a fragment that carries no ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fragment {
    /// No pair of ports is allowed.
    Deny,
    /// Some pair of ports may be allowed by this list.
    Allow,
    /// No rule allows, and some pair of ports may be matched by no rule.
    Miss,
    /// Some pair of ports may always be allowed.
    AlwaysAllow,
}

impl<'a> BlobView<'a> {
    /// Checks that `bytes` are a policy blob in which no lookup can go astray.
    ///
    /// # Errors
    /// [`BlobError`] names the first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BlobError> {
        let reader = Reader { bytes };
        let header = check::check(reader)?;
        Ok(Self { reader, header })
    }

    /// The view of bytes that were checked before.
    pub(crate) const fn of_checked(bytes: &'a [u8], header: PolicyHeader) -> Self {
        Self { reader: Reader { bytes }, header }
    }

    /// Number of rules.
    pub const fn rules(&self) -> usize {
        self.header.rules as usize
    }

    /// The bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.reader.bytes
    }

    /// The first bytes, decoded.
    pub(crate) const fn header(&self) -> &PolicyHeader {
        &self.header
    }

    /// What rule `rule` does; `None` if there is no such rule.
    pub fn action(&self, rule: usize) -> Option<Action> {
        let inside = rule < self.rules();
        inside
            .then(|| self.reader.u8(self.header.actions_offset, rule))
            .flatten()
            .and_then(Action::from_number)
    }

    /// What the list says at `now` of the first packet of `flow`.
    pub fn lookup(&self, flow: &Flow, now: u32) -> Lookup {
        let with_action = |rule| {
            (rule, self.action(rule).expect("check() read every action, and no bit above the last rule"))
        };
        let (mut rule, mut shadow) = (None, None);
        for found in self.matches(flow, now) {
            if !self.is_in(SET_AUDIT, found) {
                rule = Some(found);
                break;
            }
            shadow.get_or_insert(found);
        }
        let known = |time: u32| (time != TIME_NEVER).then_some(time);
        Lookup {
            rule: rule.map(with_action),
            shadow: shadow.map(with_action),
            recheck: known(self.interval(now).1),
            until: rule.and_then(|rule| known(self.expiry(rule))),
        }
    }

    /// Every rule that matches the first packet of `flow` at `now`, in order, those in audit among them.
    pub fn matches(&self, flow: &Flow, now: u32) -> impl Iterator<Item = usize> + use<'a> {
        let [source, destination] = self.sides(flow.source(), flow.destination());
        let protocol = self.protocol(flow.protocol(), flow.destination_port());
        let port = self.source_port(flow.protocol(), flow.source_port()).unwrap_or(protocol);
        let time = self.interval(now).0.unwrap_or(protocol);
        self.common([source, destination, protocol, port, time])
    }

    /// What the list says at `now` of a fragment without ports. `Deny` is sure: no pair of ports is allowed. The others
    /// are possible: a rule that matches some ports is taken to decide one of them, though rules before it may take them all.
    pub fn fragment(&self, source: IpAddr, destination: IpAddr, protocol: Protocol, now: u32) -> Fragment {
        let [from, to] = self.sides(source, destination);
        let ports = self.record(self.number(self.header.fragments_offset, usize::from(protocol.0)));
        let time = self.interval(now).0.unwrap_or(ports);
        let mut answer = Fragment::Miss;
        for rule in self.common([from, to, ports, time]).filter(|&rule| !self.is_in(SET_AUDIT, rule)) {
            if self.is_in(SET_ALWAYS, rule) {
                return Fragment::AlwaysAllow;
            }
            if self.is_in(SET_ALLOW, rule) {
                answer = Fragment::Allow;
            }
            if self.is_in(SET_WHOLE, rule) {
                return if answer == Fragment::Allow { answer } else { Fragment::Deny };
            }
        }
        answer
    }

    fn is_in(&self, set: usize, rule: usize) -> bool {
        let word = set * self.header.words as usize + rule / 64;
        checked(self.reader.u64(self.header.sets_offset, word)) >> (rule % 64) & 1 == 1
    }

    fn number(&self, offset: u32, index: usize) -> u32 {
        checked(self.reader.u32(offset, index))
    }

    fn sides(&self, source: IpAddr, destination: IpAddr) -> [Vector<'a>; 2] {
        let entries = &self.header.addresses;
        match (source, destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => [
                self.narrow(entries[ADDRESSES_V4], u32::from(from)),
                self.narrow(entries[ADDRESSES_V4 + 1], u32::from(to)),
            ],
            (IpAddr::V6(from), IpAddr::V6(to)) => [
                self.wide(entries[ADDRESSES_V6], u128::from(from)),
                self.wide(entries[ADDRESSES_V6 + 1], u128::from(to)),
            ],
            _ => unreachable!("the addresses of a flow are of one family"),
        }
    }

    fn protocol(&self, protocol: Protocol, port: u16) -> Vector<'a> {
        let entry = self.number(self.header.protocols_offset, usize::from(protocol.0));
        if has_values(protocol) { self.narrow(entry, port) } else { self.record(entry) }
    }

    /// `None` if no rule restricts the source port.
    fn source_port(&self, protocol: Protocol, port: u16) -> Option<Vector<'a>> {
        let PolicyHeader { source_ports, no_source_port, .. } = self.header;
        let found = || {
            if protocol.has_ports() { self.narrow(source_ports, port) } else { self.record(no_source_port) }
        };
        (source_ports != 0).then(found)
    }

    /// The record of the interval that holds `now`, if the list has any, and where the interval ends.
    fn interval(&self, now: u32) -> (Option<Vector<'a>>, u32) {
        let count = self.header.times_count as usize;
        let time = |index| self.number(self.header.times_offset, index);
        let (mut passed, mut candidates) = (0, count);
        while candidates > 0 {
            let half = candidates / 2;
            if time(passed + half) <= now {
                passed += half + 1;
                candidates -= half + 1;
            } else {
                candidates = half;
            }
        }
        let end = if passed < count { time(passed) } else { TIME_NEVER };
        let record = || self.record(self.number(self.header.time_records_offset, passed));
        ((count > 0).then(record), end)
    }

    fn expiry(&self, rule: usize) -> u32 {
        if self.header.times_count == 0 { TIME_NEVER } else { self.number(self.header.expires_offset, rule) }
    }

    fn narrow(&self, entry: u32, key: impl Into<u64>) -> Vector<'a> {
        let key = key.into();
        let list = |offset| {
            let list: NarrowList = checked(self.reader.structure(offset));
            (list.starts.map(u64::from), list.entries)
        };
        self.record(self.find(entry, key, list))
    }

    fn wide(&self, entry: u32, address: u128) -> Vector<'a> {
        let list = |offset| {
            let list: WideList = checked(self.reader.structure(offset));
            (list.starts, list.entries)
        };
        let entry = self.find(entry, (address >> 64) as u64, list);
        if entry & ENTRY_HALF == 0 {
            return self.record(entry);
        }
        let entry = self.number(entry & !ENTRY_KIND, 0);
        self.record(self.find(entry, address as u64, list))
    }

    /// The entry behind all grids and lists.
    fn find(&self, mut entry: u32, key: u64, list: impl Fn(u32) -> Starts) -> u32 {
        while entry & ENTRY_KIND == ENTRY_GRID {
            let offset = entry & !ENTRY_KIND;
            let grid: Grid = checked(self.reader.structure(offset));
            let step = key.wrapping_sub(grid.base) >> grid.shift;
            let outside = grid.steps as usize + usize::from(key < grid.base);
            let index = if step < grid.steps.into() { step as usize } else { outside };
            entry = self.number(offset + size_of::<Grid>() as u32, index);
        }
        if entry & ENTRY_KIND == ENTRY_LIST {
            let (starts, entries) = list(entry & !ENTRY_KIND);
            entry = entries[starts.iter().filter(|&&start| start <= key).count()];
        }
        entry
    }

    fn record(&self, offset: u32) -> Vector<'a> {
        let record: Record = checked(self.reader.structure(offset));
        Vector { reader: self.reader, record, words: offset + size_of::<Record>() as u32 }
    }

    /// The bits that are set in every vector.
    fn common<const N: usize>(&self, vectors: [Vector<'a>; N]) -> impl Iterator<Item = usize> + use<'a, N> {
        let mut summary = vectors.iter().fold(u32::MAX, |all, vector| all & vector.record.head) & 0xffff;
        let (mut word, mut bits) = (0, 0);
        iter::from_fn(move || {
            while bits == 0 {
                if summary == 0 {
                    return None;
                }
                word = summary.trailing_zeros() as usize;
                summary &= summary - 1;
                bits = vectors.iter().fold(u64::MAX, |all, vector| all & vector.word(word));
            }
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(word * 64 + bit)
        })
    }
}

/// What a list holds.
type Starts = ([u64; LIST_STARTS], [u32; LIST_STARTS + 1]);

/// A value that [`check`] proved to be inside the blob.
fn checked<T>(value: Option<T>) -> T {
    value.expect("check() proved that lookups stay inside the blob")
}

/// The vector of one class.
#[derive(Clone, Copy)]
struct Vector<'a> {
    reader: Reader<'a>,
    record: Record,
    /// Offset of the words that are not zero.
    words: u32,
}

impl Vector<'_> {
    /// Word `word`, whose bit of the summary is set.
    fn word(&self, word: usize) -> u64 {
        let rank = self.record.ranks >> (4 * word) & 15;
        checked(self.reader.u64(self.words, rank as usize))
    }
}
