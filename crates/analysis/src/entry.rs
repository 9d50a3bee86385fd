//! Rule lists as they are asked: one entry for each way in which a rule can come to its turn.
//!
//! For a packet to a service of the platform an NSG first asks the rules that name the service's tag, then lets it pass. So
//! such a rule has an entry more, cut down to the service, and the exemption has one of its own; a list is then asked from
//! its first entry to its last. It must not know atoms. Semantics: `docs/semantics.md`, Platform traffic; the truth is
//! [`palisade_classify::oracle`].

mod beside;

use std::borrow::Cow;

use palisade_classify::Hit;
use palisade_model::{
    Access, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, PlatformService,
    Ports,
};
use palisade_net::{AddressSet, Direction, Family, Number, PortSet, ProtocolMatch, RangeSet};

use crate::space::{Field, Kind, Space};

/// One turn of a list.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    /// The list, counted over all that are analysed together.
    pub(crate) list: u32,
    /// What it is in its policy.
    pub(crate) hit: Hit,
    /// What it does.
    pub(crate) access: Maybe<Access>,
    /// Its rule; `None` for an exemption.
    pub(crate) rule: Option<&'a EffectiveRule>,
    /// The service that it is cut down to.
    pub(crate) service: Option<(PlatformService, &'a AddressSet)>,
}

/// Lists that are asked about the same packets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists<'a> {
    /// Where each list stands.
    pub(crate) layers: Vec<&'a EffectiveLayer>,
    /// The entries of the first list in their order, then those of the second, and so on.
    pub(crate) entries: Vec<Entry<'a>>,
    /// For each entry whether its packets are looked at; all packets are if there is nothing.
    pub(crate) bounds: Option<Vec<bool>>,
}

impl<'a> Lists<'a> {
    /// Adds layer `index` of a policy, as far as it is in force at `now`; hits name it by `number`.
    pub(crate) fn add(
        &mut self,
        policy: &'a EffectivePolicy,
        direction: Direction,
        (index, number): (usize, usize),
        now: u32,
    ) {
        let layer = &policy.layers(direction)[index];
        let list = u32::try_from(self.layers.len()).expect("few lists stand at an interface");
        let entry = |rule: usize, service| Entry {
            list,
            hit: Hit::Rule { layer: number, rule },
            access: layer.rules[rule].access,
            rule: Some(&layer.rules[rule]),
            service,
        };
        let asked = |rule: &EffectiveRule| rule.mode == Mode::Enforce && rule.window.contains(now);
        let rules = || layer.rules.iter().enumerate().filter(|(_, rule)| asked(rule));
        let is_nsg = matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface);
        for (service, addresses) in &policy.services {
            if direction != Direction::Outbound || !is_nsg {
                break;
            }
            let cut = Some((*service, addresses));
            let named = rules().filter(|(_, rule)| rule.services.contains(service));
            self.entries.extend(named.map(|(rule, _)| entry(rule, cut)));
            let (hit, access) = (Hit::Exempt { layer: number }, Maybe::Known(Access::Allow));
            self.entries.push(Entry { list, hit, access, rule: None, service: cut });
        }
        self.entries.extend(rules().map(|(rule, _)| entry(rule, None)));
        self.layers.push(layer);
    }

    /// Leaves out entries that match no packet that a rule matches.
    pub(crate) fn keep_meeting(&mut self, rule: &EffectiveRule) {
        self.entries.retain(|entry| entry.may_meet(rule));
    }

    /// Whether an entry matches something in a space.
    pub(crate) fn is_in(&self, entry: usize, space: Space) -> bool {
        let entry = &self.entries[entry];
        let has_addresses = match space.family {
            Family::V4 => entry.addresses::<u32>().iter().all(|set| !set.may.is_empty()),
            Family::V6 => entry.addresses::<u128>().iter().all(|set| !set.may.is_empty()),
        };
        has_addresses && entry.small(&Domains::of(space)).is_some()
    }

    /// Adds a rule that is in no list, so that packets it matches are told from others; its number among the entries.
    pub(crate) fn add_query(&mut self, rule: &'a EffectiveRule) -> usize {
        let list = u32::try_from(self.layers.len()).expect("few lists stand at an interface");
        let access = rule.access;
        self.entries.push(Entry { list, hit: Hit::Nothing, access, rule: Some(rule), service: None });
        self.entries.len() - 1
    }

    /// For each entry a number that entries share which do the same.
    pub(crate) fn kinds(&self) -> Vec<u32> {
        let number = |access: Maybe<Access>| match access {
            Maybe::Unknown => 0,
            Maybe::Known(Access::Deny) => 1,
            Maybe::Known(Access::Allow) => 2,
            Maybe::Known(Access::AlwaysAllow) => 3,
        };
        self.entries.iter().map(|entry| number(entry.access)).collect()
    }

    /// Adds every layer of a policy that is asked.
    pub(crate) fn add_all(&mut self, policy: &'a EffectivePolicy, direction: Direction, now: u32) {
        let layers = policy.layers(direction).iter().enumerate();
        for (index, _) in layers.filter(|(_, layer)| layer.mode == Mode::Enforce) {
            self.add(policy, direction, (index, index), now);
        }
    }
}

/// A set between what surely and what possibly belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Between<'a, T: Number> {
    pub(crate) must: Cow<'a, RangeSet<T>>,
    pub(crate) may: Cow<'a, RangeSet<T>>,
}

impl<'a, T: Number> Between<'a, T> {
    const fn exactly(set: &'a RangeSet<T>) -> Self {
        Self { must: Cow::Borrowed(set), may: Cow::Borrowed(set) }
    }

    fn owned(set: RangeSet<T>) -> Self {
        Self { must: Cow::Owned(set.clone()), may: Cow::Owned(set) }
    }

    /// The same, borrowing nothing.
    pub(crate) fn into_owned(self) -> Between<'static, T> {
        Between { must: Cow::Owned(self.must.into_owned()), may: Cow::Owned(self.may.into_owned()) }
    }

    const fn unknown(domain: &'a RangeSet<T>) -> Self {
        Self { must: Cow::Owned(RangeSet::empty()), may: Cow::Borrowed(domain) }
    }

    /// What of it is in another set.
    pub(crate) fn within(self, other: &RangeSet<T>) -> Self {
        if other.is_full() {
            return self;
        }
        let Self { must, may } = self;
        if must == may {
            return Self::owned(may.intersection(other));
        }
        Self { must: Cow::Owned(must.intersection(other)), may: Cow::Owned(may.intersection(other)) }
    }
}

/// What an entry matches of protocols, destination ports and source ports of a space.
pub(crate) type Small<'a> = [Between<'a, u16>; 3];

/// All values of a space's protocols, destination ports and source ports.
#[derive(Debug)]
pub(crate) struct Domains {
    pub(crate) space: Space,
    sets: [PortSet; 3],
    nothing: PortSet,
}

impl Domains {
    pub(crate) fn of(space: Space) -> Self {
        let ports = |field| space.ports(field);
        let sets = [space.protocols(), ports(Field::DestinationPort), ports(Field::SourcePort)];
        Self { space, sets, nothing: PortSet::empty() }
    }

    /// Of every field that is not an address.
    pub(crate) const fn all(&self) -> &[PortSet; 3] {
        &self.sets
    }

    /// Of a field that is not an address.
    pub(crate) const fn of_field(&self, field: Field) -> &PortSet {
        &self.sets[field as usize]
    }
}

/// A family's addresses as numbers.
pub(crate) trait Address: Number + Into<u128> {
    /// The half of a set that is of the family.
    fn half(set: &AddressSet) -> &RangeSet<Self>;
}

impl Address for u32 {
    fn half(set: &AddressSet) -> &RangeSet<Self> {
        set.v4()
    }
}

impl Address for u128 {
    fn half(set: &AddressSet) -> &RangeSet<Self> {
        set.v6()
    }
}

impl<'a> Entry<'a> {
    /// False only if there is surely no packet that both it and a rule match: fields that are the same in every space tell.
    fn may_meet(&self, other: &EffectiveRule) -> bool {
        let Some(rule) = self.rule else { return true };
        let protocols = match (rule.protocol, other.protocol) {
            (Maybe::Known(ProtocolMatch::Number(one)), Maybe::Known(ProtocolMatch::Number(other))) => {
                one == other
            }
            _ => true,
        };
        // A rule that names ports matches no packet without one, so sets that share no number share no packet.
        let ports = match (&rule.destination_ports, &other.destination_ports) {
            (Ports::Known(one), Ports::Known(other)) => one.intersects(other),
            _ => true,
        };
        protocols
            && ports
            && rule.destination.may().intersects(other.destination.may())
            && rule.source.may().intersects(other.source.may())
    }

    /// Whether it is there for sure.
    pub(crate) fn is_certain(&self) -> bool {
        self.rule.is_none_or(|rule| rule.certain)
    }

    /// Whether it and another stand in the same part of a list: the rules as they are, or those asked about one service.
    pub(crate) fn stands_beside(&self, other: &Self) -> bool {
        self.service.map(|(service, _)| service) == other.service.map(|(service, _)| service)
    }

    /// Whether it is the whole rule, and not the part of one that is asked about a service.
    pub(crate) fn is_whole_rule(&self) -> bool {
        self.rule.is_some() && self.service.is_none()
    }

    /// The entry's destinations and sources of a family.
    pub(crate) fn addresses<T: Address>(&self) -> [Between<'a, T>; 2] {
        let side = |set: fn(&EffectiveRule) -> &Addresses| match self.rule {
            Some(rule) => Between {
                must: Cow::Borrowed(T::half(set(rule).must())),
                may: Cow::Borrowed(T::half(set(rule).may())),
            },
            None => Between::owned(RangeSet::full()),
        };
        let mut destination = side(|rule| &rule.destination);
        if let Some((_, addresses)) = self.service {
            destination = destination.within(T::half(addresses));
        }
        [destination, side(|rule| &rule.source)]
    }

    /// The entry's other sets in a space; `None` if it matches nothing there.
    pub(crate) fn small<'d>(&self, domains: &'d Domains) -> Option<Small<'d>>
    where
        'a: 'd,
    {
        let protocols = self.protocols(domains);
        if protocols.may.is_empty() {
            return None;
        }
        let ports = |field| self.ports(domains, field);
        let small = [protocols, ports(Field::DestinationPort), ports(Field::SourcePort)];
        (!small.iter().any(|set| set.may.is_empty())).then_some(small)
    }

    fn protocols<'d>(&self, domains: &'d Domains) -> Between<'d, u16> {
        let space = domains.space;
        let domain = domains.of_field(Field::Protocol);
        let found = match self.rule.map_or(Maybe::Known(ProtocolMatch::Any), |rule| rule.protocol) {
            Maybe::Unknown => Between::unknown(domain),
            Maybe::Known(ProtocolMatch::Any) => Between::exactly(domain),
            Maybe::Known(ProtocolMatch::Icmp) if space.kind == Kind::Types => Between::exactly(domain),
            Maybe::Known(ProtocolMatch::Number(protocol)) if space.holds(protocol) => {
                Between::owned([(protocol.0.into(), protocol.0.into())].into_iter().collect())
            }
            Maybe::Known(ProtocolMatch::Icmp | ProtocolMatch::Number(_)) => {
                Between::exactly(&domains.nothing)
            }
        };
        let Some((service, _)) = self.service else { return found };
        found.within(&service.protocols().iter().map(|p| (p.0.into(), p.0.into())).collect())
    }

    /// A port field that is not `*` matches by port where there are ports, as a destination by type in a rule that names
    /// ICMP, and nothing else.
    fn ports<'d>(&self, domains: &'d Domains, field: Field) -> Between<'d, u16>
    where
        'a: 'd,
    {
        let (kind, domain) = (domains.space.kind, domains.of_field(field));
        let is_destination = field == Field::DestinationPort;
        let found = match self.rule {
            None => Between::exactly(domain),
            Some(rule) => {
                let names_icmp = rule.protocol != Maybe::Known(ProtocolMatch::Any);
                let by_value = kind == Kind::Ports || (kind == Kind::Types && is_destination && names_icmp);
                match if is_destination { &rule.destination_ports } else { &rule.source_ports } {
                    Ports::Unknown => Between::unknown(domain),
                    Ports::Known(set) if set.is_full() => Between::exactly(domain),
                    Ports::Known(set) if by_value => Between::exactly(set).within(domain),
                    Ports::Known(_) => Between::exactly(&domains.nothing),
                }
            }
        };
        match self.service {
            Some((service, _)) if is_destination => found.within(&service.ports()),
            _ => found,
        }
    }
}
