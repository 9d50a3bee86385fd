//! Which interface of this host belongs to which NIC of the estate.
//!
//! Evidence, the strongest first; a weaker one is asked only where a stronger one says nothing:
//!   1. the NIC's resource tag `palisade-interface` is the interface's name or alias;
//!   2. the interface's alias is the NIC's name or resource id, without regard to case;
//!   3. the interface's hardware address is the NIC's, or that with `fe` in front, as libvirt gives taps.
//!
//! Nothing is guessed: where two interfaces fit one NIC, or two NICs one interface, none of them gets a policy and all
//! of these interfaces are closed. A NIC that no interface fits may have a device that passes the host's network stack
//! by, which its tag names or which has its hardware address: it is reported as not enforced. Else it is on another host.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use palisade_datapath::Attachment;
use palisade_model::INTERFACE_TAG;
use palisade_net::Mac;
use serde::{Deserialize, Serialize};

use super::bypass::Bypass;
use super::{Inventory, Link};
use crate::identity::{Identity, NicId};

/// First octet of the hardware address that libvirt gives a tap, instead of the machine's.
const LIBVIRT_OCTET: u8 = 0xfe;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// Interfaces by NIC.
    pub assigned: BTreeMap<NicId, Attachment>,
    /// Interfaces that belong to some NIC, it is not certain which: they are closed.
    pub contested: BTreeSet<Attachment>,
    /// NICs without an interface here; another host has them.
    pub elsewhere: Vec<NicId>,
    /// Why a NIC that seems to be here has no interface.
    pub problems: Vec<MatchProblem>,
}

impl Matches {
    /// Every interface that must have the programs.
    pub fn attachments(&self) -> BTreeSet<Attachment> {
        self.assigned.values().chain(&self.contested).copied().collect()
    }
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
        /// The NIC.
        nic: NicId,
        /// Names of the interfaces.
        interfaces: Vec<String>,
    },
    /// Several NICs fit one interface.
    #[error(
        "interface {interface}: NICs {} fit it, so it is closed (tag each NIC with {INTERFACE_TAG}=NAME)",
        .nics.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    SeveralNics {
        /// Name of the interface.
        interface: String,
        /// The NICs.
        nics: Vec<NicId>,
    },
    /// Policy cannot be enforced at the interface.
    #[error("NIC {nic}: interface {interface} is left as it is: {why}")]
    UnsupportedInterface {
        /// The NIC.
        nic: NicId,
        /// Name of the interface.
        interface: String,
        /// What stands against it.
        why: String,
    },
    /// The machine's frames do not pass this host's network stack.
    #[error("NIC {nic}: {device} is left as it is: {why}")]
    PassesBy {
        /// The NIC.
        nic: NicId,
        /// What the machine has.
        device: String,
        /// Why nothing can be enforced there.
        why: String,
    },
}

/// Finds the interface of each NIC.
pub fn match_nics<'a>(nics: impl IntoIterator<Item = &'a Identity>, host: &Inventory) -> Matches {
    let mut matches = Matches::default();
    let mut claims = BTreeMap::<u32, Vec<&NicId>>::new();
    for nic in nics {
        let candidates = candidates(nic, &host.links);
        for link in &candidates {
            claims.entry(link.index).or_default().push(&nic.id);
        }
        match candidates[..] {
            [] => matches.look_beside(nic, &host.bypasses),
            [_] => {}
            _ => matches.refuse_several_interfaces(nic, &candidates),
        }
    }
    for link in &host.links {
        if let Some(nics) = claims.get(&link.index) {
            matches.settle(link, nics);
        }
    }
    matches
}

impl Matches {
    /// Reports what the machine has instead of an interface; else it is on another host.
    fn look_beside(&mut self, nic: &Identity, bypasses: &[Bypass]) {
        let is_its = |device: &&Bypass| {
            nic.interface.as_ref().is_some_and(|tag| device.is_called(tag))
                || device.mac.is_some() && device.mac == nic.mac
        };
        match bypasses.iter().find(is_its) {
            Some(device) => self.problems.push(MatchProblem::PassesBy {
                nic: nic.id.clone(),
                device: device.to_string(),
                why: device.why().to_owned(),
            }),
            None => self.elsewhere.push(nic.id.clone()),
        }
    }

    fn refuse_several_interfaces(&mut self, nic: &Identity, candidates: &[&Link]) {
        self.contested.extend(candidates.iter().filter_map(|link| attachment(link).ok()));
        self.problems.push(MatchProblem::SeveralInterfaces {
            nic: nic.id.clone(),
            interfaces: candidates.iter().map(|link| link.name.clone()).collect(),
        });
    }

    /// Gives the interface to the one NIC that fits it, unless it is contested or cannot be enforced.
    fn settle(&mut self, link: &Link, nics: &[&NicId]) {
        let place = match attachment(link) {
            Ok(place) => place,
            Err(why) => {
                self.problems.extend(nics.iter().map(|&nic| MatchProblem::UnsupportedInterface {
                    nic: nic.clone(),
                    interface: link.name.clone(),
                    why: why.clone(),
                }));
                return;
            }
        };
        match nics {
            [_] if self.contested.contains(&place) => {}
            [nic] => {
                self.assigned.insert((*nic).clone(), place);
            }
            _ => {
                self.contested.insert(place);
                self.problems.push(MatchProblem::SeveralNics {
                    interface: link.name.clone(),
                    nics: nics.iter().map(|&nic| nic.clone()).collect(),
                });
            }
        }
    }
}

/// How policy is enforced at an interface, or why it cannot be.
fn attachment(link: &Link) -> Result<Attachment, String> {
    Ok(Attachment { ifindex: link.index, kind: link.kind.enforced_as()? })
}

/// The interfaces that the strongest evidence for a NIC points to.
fn candidates<'a>(nic: &Identity, links: &'a [Link]) -> Vec<&'a Link> {
    if let Some(tag) = &nic.interface {
        return links.iter().filter(|link| link.name == *tag || link.alias.as_ref() == Some(tag)).collect();
    }
    let is_alias = |link: &&Link| link.alias.as_deref().is_some_and(|alias| is_called(nic, alias));
    let by_alias: Vec<_> = links.iter().filter(is_alias).collect();
    match nic.mac {
        Some(mac) if by_alias.is_empty() => links.iter().filter(|link| has_mac_of(link, mac)).collect(),
        _ => by_alias,
    }
}

fn is_called(nic: &Identity, alias: &str) -> bool {
    alias.eq_ignore_ascii_case(&nic.name) || NicId::from(alias.to_owned()) == nic.id
}

fn has_mac_of(link: &Link, nic: Mac) -> bool {
    let fits = |own: Mac| own == nic || (own.0[0] == LIBVIRT_OCTET && own.0[1..] == nic.0[1..]);
    link.kind.has_own_mac() && link.mac.is_some_and(fits)
}
