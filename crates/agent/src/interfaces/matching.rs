//! Which interface of this host belongs to which NIC of the estate.
//!
//! Evidence, the strongest first; a weaker one is asked only where a stronger one says nothing:
//!   1. the NIC's resource tag `palisade-interface` is the interface's name;
//!   2. the interface's alias is the NIC's name or resource id, without regard to case;
//!   3. the interface's hardware address is the NIC's, or that with `fe` in front, as libvirt names taps.
//!
//! Nothing is guessed: where two interfaces fit one NIC, or two NICs one interface, none of them gets a policy and all
//! of these interfaces are closed. A NIC that nothing fits is on another host.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::{Nic, ResourceId};
use palisade_net::Mac;
use serde::{Deserialize, Serialize};

use super::Link;

/// The resource tag of a NIC that names its interface.
pub const INTERFACE_TAG: &str = "palisade-interface";
/// First octet of the hardware address that libvirt gives a tap, instead of the machine's.
const LIBVIRT_OCTET: u8 = 0xfe;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// Interface numbers by NIC.
    pub assigned: BTreeMap<ResourceId, u32>,
    /// Interfaces that belong to some NIC, it is not certain which: they are closed.
    pub contested: BTreeSet<u32>,
    /// NICs without an interface here; another host has them.
    pub elsewhere: Vec<ResourceId>,
    /// Why a NIC that seems to be here has no interface.
    pub problems: Vec<MatchProblem>,
}

/// Why a NIC that seems to be here has no interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum MatchProblem {
    /// Several interfaces fit one NIC.
    #[error(
        "NIC {nic}: interfaces {} fit it, so all are closed (tag the NIC with {INTERFACE_TAG}=NAME)",
        .interfaces.join(", ")
    )]
    SeveralInterfaces {
        /// Id of the NIC.
        nic: String,
        /// The interfaces.
        interfaces: Vec<String>,
    },
    /// Several NICs fit one interface.
    #[error(
        "interface {interface}: NICs {} fit it, so it is closed (tag each NIC with {INTERFACE_TAG}=NAME)",
        .nics.join(", ")
    )]
    SeveralNics {
        /// Name of the interface.
        interface: String,
        /// Ids of the NICs.
        nics: Vec<String>,
    },
    /// Policy cannot be enforced at the interface.
    #[error("NIC {nic}: interface {interface} is left as it is: {why}")]
    UnsupportedInterface {
        /// Id of the NIC.
        nic: String,
        /// Name of the interface.
        interface: String,
        /// What stands against it.
        why: String,
    },
}

/// Finds the interface of each NIC.
pub fn match_nics<'a>(nics: impl IntoIterator<Item = &'a Nic>, links: &[Link]) -> Matches {
    let mut matches = Matches::default();
    let mut claims = BTreeMap::<u32, Vec<&ResourceId>>::new();
    for nic in nics {
        let candidates = candidates(nic, links);
        for link in &candidates {
            claims.entry(link.index).or_default().push(nic.id());
        }
        match candidates[..] {
            [] => matches.elsewhere.push(nic.id().clone()),
            [_] => {}
            _ => matches.refuse_several_interfaces(nic, &candidates),
        }
    }
    for link in links {
        if let Some(nics) = claims.get(&link.index) {
            matches.settle(link, nics);
        }
    }
    matches
}

impl Matches {
    fn refuse_several_interfaces(&mut self, nic: &Nic, candidates: &[&Link]) {
        let enforceable = candidates.iter().filter(|link| link.kind.obstacle().is_none());
        self.contested.extend(enforceable.map(|link| link.index));
        self.problems.push(MatchProblem::SeveralInterfaces {
            nic: nic.id().to_string(),
            interfaces: candidates.iter().map(|link| link.name.clone()).collect(),
        });
    }

    /// Gives the interface to the one NIC that fits it, unless it is contested or cannot be enforced.
    fn settle(&mut self, link: &Link, nics: &[&ResourceId]) {
        if let Some(why) = link.kind.obstacle() {
            self.problems.extend(nics.iter().map(|nic| MatchProblem::UnsupportedInterface {
                nic: nic.to_string(),
                interface: link.name.clone(),
                why: why.clone(),
            }));
            return;
        }
        match nics {
            [_] if self.contested.contains(&link.index) => {}
            [nic] => {
                self.assigned.insert((*nic).clone(), link.index);
            }
            _ => {
                self.contested.insert(link.index);
                self.problems.push(MatchProblem::SeveralNics {
                    interface: link.name.clone(),
                    nics: nics.iter().map(ToString::to_string).collect(),
                });
            }
        }
    }
}

/// The interfaces that the strongest evidence for a NIC points to.
fn candidates<'a>(nic: &Nic, links: &'a [Link]) -> Vec<&'a Link> {
    let of = |fits: &dyn Fn(&Link) -> bool| links.iter().filter(|link| fits(link)).collect::<Vec<_>>();
    if let Some(name) = interface_tag(nic) {
        return of(&|link| link.name == name);
    }
    let by_alias = of(&|link| link.alias.as_deref().is_some_and(|alias| is_called(nic, alias)));
    match nic.mac() {
        Some(mac) if by_alias.is_empty() => {
            of(&|link| link.kind.has_own_mac() && link.mac.is_some_and(|own| is_mac_of(own, mac)))
        }
        _ => by_alias,
    }
}

/// Names of resource tags have no case in Azure; their values do.
fn interface_tag(nic: &Nic) -> Option<&str> {
    let tag = nic.tags().iter().find(|(name, _)| name.eq_ignore_ascii_case(INTERFACE_TAG));
    tag.map(|(_, value)| value.as_str())
}

fn is_called(nic: &Nic, alias: &str) -> bool {
    alias.eq_ignore_ascii_case(nic.name()) || ResourceId::new(alias) == *nic.id()
}

fn is_mac_of(link: Mac, nic: Mac) -> bool {
    link == nic || (link.0[0] == LIBVIRT_OCTET && link.0[1..] == nic.0[1..])
}
