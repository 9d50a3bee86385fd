//! From a record to the interface that logged it.
//!
//! A hardware address tells it, or a target that is an interface. Else the interfaces that may have logged, those of the target
//! whose hardware address is not another one, are asked for the flow's own address. One that fits is it; none or several are told.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use palisade_model::{Estate, FlowOrigin, FlowRecord, IpConfiguration, Nic, ResourceId, Truth, spec::Given};
use palisade_net::{Direction, Family, Flow, Mac, Prefix};

use super::{Place, Unplaced};

/// An interface as far as records are told by it.
#[derive(Debug)]
struct Known<'a> {
    nic: &'a Nic,
    addresses: Vec<IpAddr>,
    /// Its NSGs, subnets and networks.
    within: Vec<&'a ResourceId>,
    network: Option<&'a ResourceId>,
}

/// What an origin says of the place.
#[derive(Debug, Clone)]
enum Candidates {
    /// This interface.
    One(usize),
    /// One of these, by address; else the NSG alone, if one logged.
    Of(Vec<usize>, Option<ResourceId>),
    /// Nothing that the estate has.
    None,
}

/// Finds places.
#[derive(Debug)]
pub(super) struct Placing<'a> {
    estate: &'a Estate,
    nics: Vec<Known<'a>>,
    by_mac: HashMap<Mac, Vec<usize>>,
    by_address: HashMap<IpAddr, Vec<usize>>,
    /// By number of the origin.
    origins: Vec<Option<Candidates>>,
    pub(super) places: Vec<Place>,
    /// For each interface, its place if a flow was seen there.
    nic_places: Vec<Option<usize>>,
    nsg_places: HashMap<ResourceId, usize>,
    pub(super) by_name: BTreeMap<ResourceId, ResourceId>,
}

impl<'a> Placing<'a> {
    pub(super) fn new(estate: &'a Estate) -> Self {
        let nics: Vec<Known<'a>> = estate.nics().map(|nic| Known::new(estate, nic)).collect();
        let mut by_mac: HashMap<Mac, Vec<usize>> = HashMap::new();
        let mut by_address: HashMap<IpAddr, Vec<usize>> = HashMap::new();
        for (index, known) in nics.iter().enumerate() {
            known.addresses.iter().for_each(|own| by_address.entry(*own).or_default().push(index));
            if let Some(mac) = known.nic.mac() {
                by_mac.entry(mac).or_default().push(index);
            }
        }
        Self {
            estate,
            nic_places: vec![None; nics.len()],
            nics,
            by_mac,
            by_address,
            origins: Vec::new(),
            places: Vec::new(),
            nsg_places: HashMap::new(),
            by_name: BTreeMap::new(),
        }
    }

    /// The number of a record's place, and its flow as the rules there see it.
    pub(super) fn place(
        &mut self,
        record: &FlowRecord,
        origin: &FlowOrigin,
    ) -> Result<(usize, Flow), Unplaced> {
        let number = record.origin as usize;
        if self.origins.len() <= number {
            self.origins.resize(number + 1, None);
        }
        if self.origins[number].is_none() {
            self.origins[number] = Some(self.candidates(origin));
        }
        let index = match self.origins[number].as_ref().expect("it was just found") {
            Candidates::None => return Err(Unplaced::Resource),
            Candidates::One(index) => *index,
            Candidates::Of(nics, nsg) => {
                let having = self.by_address.get(&record.flow.local()).map_or(&[][..], Vec::as_slice);
                let mut fitting = having.iter().filter(|nic| nics.binary_search(nic).is_ok());
                match (fitting.next(), fitting.next(), nsg) {
                    (Some(index), None, _) => *index,
                    (Some(_), Some(_), _) => return Err(Unplaced::Several),
                    (None, _, Some(nsg)) => {
                        let places = &mut self.places;
                        let known = self.nsg_places.entry(nsg.clone());
                        return Ok((
                            *known.or_insert_with(|| push(places, Place::Nsg(nsg.clone()))),
                            record.flow,
                        ));
                    }
                    (None, _, None) => return Err(Unplaced::Address),
                }
            }
        };
        let known = &self.nics[index];
        let flow = known.seen(&record.flow)?;
        let places = &mut self.places;
        let place =
            self.nic_places[index].get_or_insert_with(|| push(places, Place::Nic(known.nic.id().clone())));
        Ok((*place, flow))
    }

    fn candidates(&mut self, origin: &FlowOrigin) -> Candidates {
        if let Some([one]) = origin.mac.and_then(|mac| self.by_mac.get(&mac)).map(Vec::as_slice) {
            return Candidates::One(*one);
        }
        let may_be = |known: &Known<'_>| match (known.nic.mac(), origin.mac) {
            (Some(own), Some(logged)) => own == logged,
            _ => true,
        };
        let fitting = |of: &dyn Fn(&Known<'_>) -> bool| {
            let nics = self.nics.iter().enumerate().filter(|(_, known)| may_be(known) && of(known));
            nics.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let Some(target) = &origin.target else { return Candidates::Of(fitting(&|_| true), None) };
        let target = match self.resource(target) {
            Some(id) if id != *target => {
                self.by_name.insert(target.clone(), id.clone());
                id
            }
            Some(id) => id,
            None => return Candidates::None,
        };
        if let [one] = fitting(&|known| *known.nic.id() == target).as_slice() {
            return Candidates::One(*one);
        }
        let nsg = self.estate.nsg(&target).map(|nsg| nsg.id().clone());
        Candidates::Of(fitting(&|known| known.is_within(&target)), nsg)
    }

    /// The estate's resource of an id; where it has none, the only one of that kind with that name.
    fn resource(&self, id: &ResourceId) -> Option<ResourceId> {
        let nics = || self.estate.nics().map(Nic::id);
        let nsgs = || self.estate.nsgs().map(palisade_model::Nsg::id);
        let networks = || self.estate.virtual_networks().map(palisade_model::VirtualNetwork::id);
        let subnets = || {
            let all = self.estate.virtual_networks().flat_map(palisade_model::VirtualNetwork::subnets);
            all.map(palisade_model::Subnet::id)
        };
        let mut all = nics().chain(nsgs()).chain(networks()).chain(subnets());
        if let Some(known) = all.find(|known| *known == id) {
            return Some(known.clone());
        }
        let alike = |known: &&ResourceId| {
            let kind = kind(id);
            known.name().eq_ignore_ascii_case(id.name()) && (kind.is_none() || kind == self::kind(known))
        };
        let mut named = nics().chain(nsgs()).chain(networks()).chain(subnets()).filter(alike);
        let first = named.next()?;
        named.next().is_none().then(|| first.clone())
    }
}

fn push(places: &mut Vec<Place>, place: Place) -> usize {
    places.push(place);
    places.len() - 1
}

/// The kind of resource that an id is of: its last segment but one, or none for a bare name.
fn kind(id: &ResourceId) -> Option<String> {
    id.as_str().rsplit('/').nth(1).map(str::to_ascii_lowercase)
}

impl<'a> Known<'a> {
    fn new(estate: &'a Estate, nic: &'a Nic) -> Self {
        let configurations = nic.ip_configurations();
        let addresses = configurations.iter().filter_map(IpConfiguration::address).map(Prefix::address);
        let subnets = configurations.iter().filter_map(IpConfiguration::subnet).filter_map(Given::known);
        let homes: Vec<_> = subnets.filter_map(|id| estate.subnet(id)).collect();
        let nsgs = homes.iter().filter_map(|(_, subnet)| subnet.nsg()).chain(nic.nsg());
        let within = nsgs.filter_map(Given::known).chain(homes.iter().map(|(_, subnet)| subnet.id()));
        Self {
            nic,
            addresses: addresses.collect(),
            within: within.collect(),
            network: homes.first().map(|(network, _)| network.id()),
        }
    }

    fn is_within(&self, target: &ResourceId) -> bool {
        self.network == Some(target) || self.within.contains(&target)
    }

    /// The flow as the rules see it: an inbound one that shows a public address goes to the interface's own.
    fn seen(&self, flow: &Flow) -> Result<Flow, Unplaced> {
        let is_own = self.addresses.is_empty() || self.addresses.contains(&flow.destination());
        if flow.direction() == Direction::Outbound || is_own || self.nic.ip_forwarding() != Truth::No {
            return Ok(*flow);
        }
        let mut own = self.addresses.iter().filter(|own| Family::of(**own) == flow.family());
        match (own.next(), own.next()) {
            (Some(own), None) => {
                let (source, port) = ((flow.source(), flow.source_port()), flow.destination_port());
                let turned = Flow::new(flow.direction(), flow.protocol(), source, (*own, port));
                Ok(turned.expect("it is of the flow's family"))
            }
            _ => Err(Unplaced::Translated),
        }
    }
}
