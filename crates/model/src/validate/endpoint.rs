//! Inbound NAT rules of load balancers: each on its own, and against the others.
//!
//! What only a deployment can tell is no error here: such a rule is no endpoint, and says why. What is in error refuses the
//! input, because a rule that was read otherwise than it was meant would open another machine. Azure's codes and words where
//! it has them.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::net::IpAddr;

use palisade_net::{AddressSet, Family, Prefix, Protocol};

use super::count_limit;
use super::network::checked_prefix;
use crate::{
    Code, Endpoint, EndpointProtocol, InboundNatRule, Nic, Place, ResourceId, Truth, limits,
    problem::Problems,
    spec::{
        At, EstateSpec, FrontendSpec, Given, LoadBalancerSpec, NatRuleSpec, PublicIpSpec, Text, TextList,
    },
};

type Rules = BTreeMap<ResourceId, InboundNatRule>;

/// The inbound NAT rules of an input, by id.
pub(super) fn rules(spec: &EstateSpec, nics: &BTreeMap<ResourceId, Nic>, p: &mut Problems) -> Rules {
    // Of a resource that stands twice the later one counts.
    let balancers: BTreeMap<&ResourceId, &LoadBalancerSpec> =
        spec.load_balancers.iter().map(|balancer| (&balancer.id, balancer)).collect();
    let addresses = spec.public_ips.iter().map(|address| (&address.id, address)).collect();
    let reader = Reader { addresses, targets: targets(spec), nics };
    let mut taken = Taken::default();
    let mut rules = Rules::new();
    for balancer in balancers.into_values() {
        p.about(&balancer.id);
        let (count, max) = (balancer.nat_rules.len(), limits::NAT_RULES_PER_BALANCER_MAX);
        let what = format!("inbound NAT rules of {}", balancer.id);
        count_limit(p, Code::PalResourceCountLimitReached, &balancer.place, count, max, &what);
        for rule in &balancer.nat_rules {
            let read = reader.rule(balancer, rule, p);
            taken.take(rule, &read, &reader.targets, p);
            rules.insert(rule.id.clone(), read);
        }
    }
    rules
}

/// The IP configurations that name a rule, or that a rule names.
type Targets = BTreeMap<ResourceId, BTreeSet<ResourceId>>;

fn targets(spec: &EstateSpec) -> Targets {
    let mut targets = Targets::new();
    let mut lead = |rule: &ResourceId, to: ResourceId| targets.entry(rule.clone()).or_default().insert(to);
    let nics: BTreeMap<_, _> = spec.nics.iter().map(|nic| (&nic.id, nic)).collect();
    for nic in nics.into_values() {
        for configuration in &nic.ip_configurations {
            let Given::Known(name) = &configuration.name.value else { continue };
            for rule in configuration.nat_rules.iter().filter_map(|rule| rule.value.known()) {
                lead(rule, nic.id.child("ipConfigurations", name));
            }
        }
    }
    for rule in spec.load_balancers.iter().flat_map(|balancer| &balancer.nat_rules) {
        if let Some(Given::Known(target)) = rule.target.as_ref().map(|target| &target.value) {
            lead(&rule.id, target.clone());
        }
    }
    targets
}

/// What rules refer to.
struct Reader<'s> {
    addresses: BTreeMap<&'s ResourceId, &'s PublicIpSpec>,
    targets: Targets,
    nics: &'s BTreeMap<ResourceId, Nic>,
}

impl Reader<'_> {
    fn rule(&self, balancer: &LoadBalancerSpec, spec: &NatRuleSpec, p: &mut Problems) -> InboundNatRule {
        let reference = spec.frontend.as_ref().and_then(|frontend| frontend.value.known());
        let frontend = reference.and_then(|id| balancer.frontends.iter().find(|one| one.id == *id));
        let mut rule = InboundNatRule {
            id: spec.id.clone(),
            certain: spec.certain,
            is_public: frontend.map_or(Truth::Maybe, |frontend| frontend.public_ip.is_some().into()),
            protocol: protocol(spec, p),
            public_port: port(spec, "frontendPort", &spec.frontend_port, limits::FRONTEND_PORT_MAX, p),
            private_port: port(spec, "backendPort", &spec.backend_port, u16::MAX, p),
            sources: spec.sources.as_ref().and_then(|list| sources(&spec.id, list, p)),
            nic: None,
            endpoint: Err(String::new()),
        };
        let target = self.target(spec, p);
        rule.nic = target.and_then(ResourceId::parent);
        rule.endpoint = self.endpoint(spec, &rule, frontend, target);
        rule
    }

    /// The IP configuration that a rule leads to.
    fn target(&self, spec: &NatRuleSpec, p: &mut Problems) -> Option<&ResourceId> {
        let targets = self.targets.get(&spec.id)?;
        let mut all = targets.iter();
        if let (Some(first), Some(second)) = (all.next(), all.next()) {
            let message = format!(
                "inbound NAT rule {} leads to {first} and to {second} (name it in one IP configuration)",
                spec.id
            );
            p.error(Code::PalInboundNatRuleTargetsDiffer, &spec.place, message);
        }
        targets.first()
    }

    /// What can be put in force, or why nothing can.
    fn endpoint(
        &self,
        spec: &NatRuleSpec,
        rule: &InboundNatRule,
        frontend: Option<&FrontendSpec>,
        target: Option<&ResourceId>,
    ) -> Result<Endpoint, String> {
        if !spec.certain {
            return Err("whether it exists is not known".into());
        }
        if spec.is_of_pool {
            return Err("it maps ports to a pool (write one rule for each machine)".into());
        }
        match spec.floating {
            Truth::No => {}
            Truth::Maybe => return Err("enableFloatingIP is not known".into()),
            Truth::Yes => return Err("floating IP is not done here (turn enableFloatingIP off)".into()),
        }
        let target = target.ok_or(
            "no interface names it (add it to loadBalancerInboundNatRules of the machine's IP configuration)",
        )?;
        let endpoint = Endpoint {
            frontend: self.frontend_address(frontend)?,
            protocol: *told("protocol", &rule.protocol)?,
            public_port: *told("frontendPort", &rule.public_port)?,
            address: self.target_address(target)?,
            private_port: *told("backendPort", &rule.private_port)?,
            sources: match &rule.sources {
                None => None,
                Some(sources) => Some(told("allowedSourceAddressPrefixes", sources)?.clone()),
            },
        };
        match Family::of(endpoint.frontend) == Family::of(endpoint.address) {
            true => Ok(endpoint),
            false => Err(format!(
                "{} and {} are not of one family (give the machine an address of the frontend's)",
                endpoint.frontend, endpoint.address
            )),
        }
    }

    fn frontend_address(&self, frontend: Option<&FrontendSpec>) -> Result<IpAddr, String> {
        let frontend = frontend.ok_or("its frontend is not known")?;
        if let Some(text) = &frontend.private_address {
            return address(&frontend.id, text);
        }
        let reference = frontend.public_ip.as_ref().map(|reference| &reference.value);
        let id = match reference {
            None => return Err(format!("{} has no address yet", frontend.id)),
            Some(Given::Unknown(reason)) => return Err(reason.clone()),
            Some(Given::Known(id)) => id,
        };
        let public = self.addresses.get(id).ok_or_else(|| format!("{id} is not in the input"))?;
        address(id, public.address.as_ref().ok_or_else(|| format!("{id} has no address yet"))?)
    }

    fn target_address(&self, target: &ResourceId) -> Result<IpAddr, String> {
        let nic = target.parent().and_then(|nic| self.nics.get(&nic));
        let configurations = nic.into_iter().flat_map(Nic::ip_configurations);
        let mut named = configurations.filter(|one| one.name().eq_ignore_ascii_case(target.name()));
        let configuration = named.next().ok_or_else(|| format!("{target} is not in the input"))?;
        let prefix = configuration.address().ok_or_else(|| format!("{target} has no address yet"))?;
        match Prefix::host(prefix.address()) == prefix {
            true => Ok(prefix.address()),
            false => Err(format!("{target} has a block of addresses and no single one")),
        }
    }
}

fn address(owner: &ResourceId, text: &Text) -> Result<IpAddr, String> {
    match &text.value {
        Given::Unknown(reason) => Err(reason.clone()),
        Given::Known(value) => {
            value.parse().map_err(|_| format!("\"{value}\" of {owner} is not one address"))
        }
    }
}

fn told<'g, T>(what: &str, given: &'g Given<T>) -> Result<&'g T, String> {
    match given {
        Given::Known(value) => Ok(value),
        Given::Unknown(reason) => Err(format!("{what} is not known: {reason}")),
    }
}

fn absent<T>() -> Given<T> {
    Given::Unknown("it is not given".to_owned())
}

fn protocol(spec: &NatRuleSpec, p: &mut Problems) -> Given<EndpointProtocol> {
    let Some(At { value, place }) = &spec.protocol else { return absent() };
    let value = match value {
        Given::Unknown(reason) => return Given::Unknown(reason.clone()),
        Given::Known(value) => value,
    };
    let mut known = EndpointProtocol::NAMED.into_iter();
    match known.find(|(name, _)| name.eq_ignore_ascii_case(value)) {
        Some((_, protocol)) => Given::Known(protocol),
        None if value.eq_ignore_ascii_case("Quic") => {
            Given::Unknown("Quic is not done here (write Udp)".to_owned())
        }
        None => {
            let message = format!("protocol \"{value}\" of {} is not one of Tcp, Udp, All or Quic", spec.id);
            p.error(Code::PalInvalidValue, place, message);
            absent()
        }
    }
}

/// A port, from 1 on. A rule of a pool has none that counts.
fn port(
    spec: &NatRuleSpec,
    what: &str,
    field: &Option<At<Given<i64>>>,
    max: u16,
    p: &mut Problems,
) -> Given<u16> {
    let Some(At { value, place }) = field.as_ref().filter(|_| !spec.is_of_pool) else { return absent() };
    let value = match value {
        Given::Unknown(reason) => return Given::Unknown(reason.clone()),
        Given::Known(value) => *value,
    };
    match u16::try_from(value).ok().filter(|port| (1..=max).contains(port)) {
        Some(port) => Given::Known(port),
        None => {
            p.error(
                Code::PalInvalidValue,
                place,
                format!("{what} {value} of {} is outside 1 to {max}", spec.id),
            );
            absent()
        }
    }
}

/// Who may use an endpoint; `None` if everybody may.
fn sources(id: &ResourceId, list: &TextList, p: &mut Problems) -> Option<Given<AddressSet>> {
    let texts = match &list.value {
        Given::Unknown(reason) => return Some(Given::Unknown(reason.clone())),
        Given::Known(texts) => texts,
    };
    if texts.is_empty() {
        let message = format!(
            "allowedSourceAddressPrefixes of {id} is empty (name who may use it, or * for everybody, or leave it out)"
        );
        p.error(Code::PalInvalidValue, &list.place, message);
    }
    let what = format!("sources of {id}");
    count_limit(
        p,
        Code::PalAddressLimitReached,
        &list.place,
        texts.len(),
        limits::SOURCES_PER_ENDPOINT_MAX,
        &what,
    );
    let mut prefixes = Vec::new();
    for At { value, place } in texts {
        match value {
            Given::Unknown(reason) => return Some(Given::Unknown(reason.clone())),
            Given::Known(value) if value == "*" => return None,
            Given::Known(value) => prefixes.extend(source(value, place, p)),
        }
    }
    Some(Given::Known(prefixes.into_iter().collect()))
}

fn source(value: &str, place: &Place, p: &mut Problems) -> Option<Prefix> {
    checked_prefix(value.parse(), value, place, p)
}

/// A port of a frontend or of a machine.
type Port = (ResourceId, Protocol, u16);

/// Which ports of which frontends and machines are taken, and by which rule.
#[derive(Default)]
struct Taken {
    frontends: BTreeMap<Port, ResourceId>,
    machines: BTreeMap<Port, ResourceId>,
}

impl Taken {
    /// Takes what a rule surely uses. Two rules that may not both exist do not stand in each other's way.
    fn take(&mut self, spec: &NatRuleSpec, rule: &InboundNatRule, targets: &Targets, p: &mut Problems) {
        let Some(protocol) = rule.protocol.known().copied().filter(|_| spec.certain) else { return };
        let frontend = spec.frontend.as_ref().and_then(|frontend| frontend.value.known());
        if let (Some(frontend), Some(&port)) = (frontend, rule.public_port.known())
            && let Some(other) = taken(&mut self.frontends, frontend, protocol, port, &rule.id)
        {
            let message = format!(
                "inbound NAT rules {other} and {} use the same frontend port {port} and protocol {protocol} of {frontend} \
                 (give one of them another port)",
                rule.id
            );
            p.error(Code::PalFrontendPortTaken, &spec.place, message);
        }
        let target = targets.get(&rule.id).and_then(BTreeSet::first).filter(|_| spec.floating == Truth::No);
        if let (Some(target), Some(&port)) = (target, rule.private_port.known())
            && let Some(other) = taken(&mut self.machines, target, protocol, port, &rule.id)
        {
            let message = format!(
                "Load balancer rules {other} and {} with floating IP disabled use the same backend port {port} and protocol \
                 {protocol}, and must not be used with the same backend IP {target}.",
                rule.id
            );
            p.error(Code::RulesUseSameBackendPortProtocolAndIPConfig, &spec.place, message);
        }
    }
}

/// Who had one of these ports before.
fn taken(
    places: &mut BTreeMap<Port, ResourceId>,
    owner: &ResourceId,
    protocol: EndpointProtocol,
    port: u16,
    rule: &ResourceId,
) -> Option<ResourceId> {
    let mut before = None;
    for transport in protocol.transports() {
        match places.entry((owner.clone(), *transport, port)) {
            Entry::Vacant(free) => drop(free.insert(rule.clone())),
            Entry::Occupied(other) => before = Some(other.get().clone()),
        }
    }
    before
}
