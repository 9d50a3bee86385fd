//! Every field of a blob against the claims.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, Ipv6Addr},
};

use palisade_abi::{
    policy::{
        ADDRESSES_V4, ADDRESSES_V6, PolicyHeader, SET_ALLOW, SET_ALWAYS, SET_AUDIT, SET_WHOLE, TIME_NEVER,
    },
    verdict::Action,
};
use palisade_net::{AddressSet, Direction, Number, Protocol, RangeSet};

use super::{
    Disproof, Proof,
    claims::Claim,
    segments::{Bits, Decoder, Field, Segment},
    sweep::{Difference, Expected, compare},
    witness,
};
use crate::blob::BlobView;

/// Compares everything.
pub(super) fn check(
    claims: &[Claim<'_>],
    view: &BlobView<'_>,
    direction: Direction,
) -> Result<Proof, Disproof> {
    if view.rules() != claims.len() {
        return Err(Disproof::Count { found: view.rules(), expected: claims.len() });
    }
    let mut check = Check {
        claims,
        view,
        direction,
        blob: Decoder { bytes: view.bytes() },
        header: *view.header(),
        intervals: 0,
        records: HashSet::new(),
    };
    check.rules()?;
    check.sides(ADDRESSES_V4, [Field::SourceV4, Field::DestinationV4], Decoder::narrow, AddressSet::v4)?;
    check.sides(ADDRESSES_V6, [Field::SourceV6, Field::DestinationV6], Decoder::wide, AddressSet::v6)?;
    check.protocols()?;
    check.source_ports()?;
    check.times()?;
    Ok(Proof { rules: claims.len(), intervals: check.intervals, records: check.records.len() })
}

struct Check<'a> {
    claims: &'a [Claim<'a>],
    view: &'a BlobView<'a>,
    direction: Direction,
    blob: Decoder<'a>,
    header: PolicyHeader,
    intervals: usize,
    records: HashSet<u32>,
}

/// Nothing is left out of a comparison.
const ALL: Bits = [0; 16];

impl<'a> Check<'a> {
    /// What is said of each rule and compared with no field of a packet.
    fn rules(&self) -> Result<(), Disproof> {
        let words = self.header.words as usize;
        let is_in = |set: usize, rule: usize| {
            self.blob.word(self.header.sets_offset, set * words + rule / 64) >> (rule % 64) & 1 == 1
        };
        for (rule, claim) in self.claims.iter().enumerate() {
            let expect = |part, found: String, expected: String| match found == expected {
                true => Ok(()),
                false => Err(Disproof::Rule { rule: claim.name.clone(), part, found, expected }),
            };
            let found = self.view.action(rule).map_or_else(|| "none".to_owned(), |action| action.to_string());
            expect("action", found, claim.action.to_string())?;
            let sets = [
                ("audit bit", SET_AUDIT, claim.audit),
                ("bit of all ports", SET_WHOLE, claim.is_whole()),
                ("bit of Allow", SET_ALLOW, claim.action == Action::Allow),
                ("bit of AlwaysAllow", SET_ALWAYS, claim.action == Action::AlwaysAllow),
            ];
            for (part, set, expected) in sets {
                expect(part, is_in(set, rule).to_string(), expected.to_string())?;
            }
            if self.header.times_count > 0 {
                let expected = claim.window.expires_at().unwrap_or(TIME_NEVER);
                expect(
                    "end",
                    self.blob.number(self.header.expires_offset, rule).to_string(),
                    expected.to_string(),
                )?;
            }
        }
        Ok(())
    }

    /// The addresses of one family. A rule that names none of the family on one side cannot match in it, whatever the other
    /// side says.
    fn sides<T: Number + Into<u128> + 'a>(
        &mut self,
        first: usize,
        fields: [Field; 2],
        segments: impl Fn(Decoder<'a>, u32) -> Result<Vec<Segment>, Disproof>,
        half: fn(&AddressSet) -> &RangeSet<T>,
    ) -> Result<(), Disproof> {
        let claims = self.claims;
        let sides: [fn(&'a Claim<'a>) -> &'a AddressSet; 2] =
            [|claim| &claim.sources, |claim| &claim.destinations];
        for (index, field) in fields.into_iter().enumerate() {
            let [own, other] = [sides[index], sides[1 - index]];
            let segments = segments(self.blob, self.header.addresses[first + index])?;
            let expected = Expected::of(claims.iter().map(|claim| half(own(claim))).enumerate());
            let dead = bits_of(claims.iter().map(|claim| half(other(claim)).is_empty()));
            self.compare(field, &segments, &expected, &dead)?;
        }
        Ok(())
    }

    fn protocols(&mut self) -> Result<(), Disproof> {
        // All protocols that no rule names are matched by the same rules.
        let named: HashSet<Protocol> = [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6]
            .into_iter()
            .chain(self.claims.iter().filter_map(Claim::named_protocol))
            .collect();
        let mut unnamed = HashMap::new();
        for protocol in (0..=u8::MAX).map(Protocol) {
            let entries = [self.header.protocols_offset, self.header.fragments_offset]
                .map(|offset| self.blob.number(offset, usize::from(protocol.0)));
            if !named.contains(&protocol) && unnamed.insert(entries, ()).is_some() {
                continue;
            }
            self.protocol(protocol, entries)?;
        }
        Ok(())
    }

    fn protocol(&mut self, protocol: Protocol, [entry, fragment]: [u32; 2]) -> Result<(), Disproof> {
        let claims = self.claims;
        let somewhere = bits_of(claims.iter().map(|claim| claim.matches_somewhere(protocol)));
        let values =
            claims.iter().enumerate().filter_map(|(rule, claim)| Some((rule, claim.values(protocol)?)));
        let segments = within_ports(self.blob.narrow(entry)?);
        self.compare(Field::Protocol(protocol), &segments, &Expected::of(values), &ALL)?;
        self.record(Field::Fragment(protocol), fragment, &somewhere)
    }

    fn source_ports(&mut self) -> Result<(), Disproof> {
        let claims = self.claims;
        if self.header.source_ports == 0 {
            // The field is not looked up, so that every rule matches every source port.
            return match claims.iter().position(|claim| !claim.source_ports.is_full()) {
                None => Ok(()),
                Some(rule) => {
                    let outside = claims[rule].source_ports.complement();
                    let value = outside.ranges()[0].0.into();
                    Err(self.disproof(Field::SourcePort, Difference { rule, value, matches: true }))
                }
            };
        }
        let segments = within_ports(self.blob.narrow(self.header.source_ports)?);
        let expected = Expected::of(claims.iter().map(|claim| &claim.source_ports).enumerate());
        self.compare(Field::SourcePort, &segments, &expected, &ALL)?;
        let portless = bits_of(claims.iter().map(Claim::is_portless));
        self.record(Field::NoSourcePort, self.header.no_source_port, &portless)
    }

    fn times(&mut self) -> Result<(), Disproof> {
        let windows = self.claims.iter().map(|claim| claim.window);
        let count = self.header.times_count as usize;
        if count == 0 {
            let bounded = windows.enumerate().find_map(|(rule, window)| {
                let outside = window.not_before().filter(|first| *first > 0).map(|first| first - 1);
                Some((rule, outside.or_else(|| window.expires_at())?))
            });
            return match bounded {
                None => Ok(()),
                Some((rule, value)) => {
                    Err(self.disproof(Field::Time, Difference { rule, value: value.into(), matches: true }))
                }
            };
        }
        let segment = |index: usize| Segment {
            start: index
                .checked_sub(1)
                .map_or(0, |before| self.blob.number(self.header.times_offset, before))
                .into(),
            record: self.blob.number(self.header.time_records_offset, index),
        };
        let segments: Vec<Segment> = (0..=count).map(segment).collect();
        let windows = windows.map(|window| (window.not_before().unwrap_or(0), window.expires_at()));
        self.compare(Field::Time, &segments, &Expected::of_times(windows.enumerate()), &ALL)
    }

    fn compare(
        &mut self,
        field: Field,
        segments: &[Segment],
        expected: &Expected,
        ignored: &Bits,
    ) -> Result<(), Disproof> {
        self.records.extend(segments.iter().map(|segment| segment.record));
        let intervals = expected.compare(self.blob, segments, ignored);
        self.intervals += intervals.map_err(|difference| self.disproof(field, difference))?;
        Ok(())
    }

    fn record(&mut self, field: Field, record: u32, expected: &Bits) -> Result<(), Disproof> {
        self.records.insert(record);
        self.intervals += 1;
        let difference = compare(&self.blob.bits(record), expected, &ALL);
        difference.map_err(|(rule, matches)| self.disproof(field, Difference { rule, value: 0, matches }))
    }

    fn disproof(&self, field: Field, Difference { rule, value, matches }: Difference) -> Disproof {
        let witness = witness::find(self.claims, self.view, self.direction, (field, rule, value));
        let value = match field {
            Field::SourceV4 | Field::DestinationV4 => Ipv4Addr::from(value as u32).to_string(),
            Field::SourceV6 | Field::DestinationV6 => Ipv6Addr::from(value).to_string(),
            _ => value.to_string(),
        };
        Disproof::Field { rule: self.claims[rule].name.clone(), field, value, matches, witness }
    }
}

/// A port has 16 bits; what larger keys lead to is never asked.
fn within_ports(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.retain(|segment| segment.start <= u16::MAX.into());
    segments
}

fn bits_of(conditions: impl Iterator<Item = bool>) -> Bits {
    let mut bits = Bits::default();
    for (rule, _) in conditions.enumerate().filter(|(_, holds)| *holds) {
        bits[rule / 64] |= 1 << (rule % 64);
    }
    bits
}
