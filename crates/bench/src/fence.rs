//! One firewall at one site, with its rules in force.
//!
//! The sites of all firewalls are alike; what differs is who stands at the router. Nothing here measures.

use crate::{
    conntrack,
    error::{Context, Result},
    ours::Ours,
    peers::Peer,
    policy::Policy,
    rules::RuleSet,
    site::Site,
};

/// What stands at the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firewall {
    /// Nothing: plain forwarding.
    None,
    /// The datapath.
    Ours,
    /// What a user would pick instead.
    Peer(Peer),
}

impl Firewall {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "no firewall",
            Self::Ours => "palisade",
            Self::Peer(peer) => peer.name(),
        }
    }

    /// What it says its version is, if it is a peer.
    pub fn version(self) -> Option<String> {
        match self {
            Self::None | Self::Ours => None,
            Self::Peer(peer) => peer.version(),
        }
    }
}

/// A rule set, and what its NSG comes to.
#[derive(Debug)]
pub struct Rules {
    /// The rules.
    pub set: RuleSet,
    /// The same as an NSG.
    pub policy: Policy,
}

impl Rules {
    /// Compiles a rule set.
    ///
    /// # Errors
    /// If the model refuses it.
    pub fn of(set: RuleSet) -> Result<Self> {
        Ok(Self { policy: Policy::of(&set)?, set })
    }
}

/// A site with its firewall.
#[derive(Debug)]
pub struct Fence {
    firewall: Firewall,
    // Before the site: it is detached while its interfaces are there.
    ours: Option<Ours>,
    site: Site,
}

impl Fence {
    /// Puts the rules in force at a site.
    ///
    /// # Errors
    /// What a tool or the kernel refuses.
    pub fn build(firewall: Firewall, rules: &Rules, site: Site) -> Result<Self> {
        let router = site.router();
        let mut ours = None;
        match firewall {
            Firewall::None => {}
            Firewall::Ours => ours = Some(Ours::enforce(&router, site.to_machines(), rules.policy.blobs())?),
            Firewall::Peer(peer) => peer.enforce(&router, &rules.set)?,
        }
        Ok(Self { firewall, ours, site })
    }

    /// What stands here.
    pub const fn firewall(&self) -> Firewall {
        self.firewall
    }

    /// Where.
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// The datapath, if that is what stands here.
    pub const fn ours(&mut self) -> Option<&mut Ours> {
        self.ours.as_mut()
    }

    /// Forgets every connection. To be called at the router.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn forget(&mut self) -> Result<()> {
        match &mut self.ours {
            Some(ours) => ours.clear(),
            None if self.firewall == Firewall::None => Ok(()),
            None => conntrack::flush().context(|| "flush conntrack".into()),
        }
    }
}
