//! Findings: what an estate opens, what in it never holds, and what does not mean what it seems to.
//!
//! [`findings`] asks every list of every interface, by exact sets and never by how a rule is written: a port that a hundred
//! prefixes open together is open, and one that a deny closes is not. An NSG at no interface is asked alone. Every claim about
//! packets carries one of them, which the oracle has confirmed; what the estate does not tell is said to be open and is no
//! finding. Ids, claims and remedies: `docs/check.md`. It must not know files, formats or how findings are shown.

mod attached;
mod chain;
pub mod checks;
mod endpoints;
mod exposure;
mod inside;
mod irrelevant;
mod lists;
pub mod services;
mod shapes;
mod sites;
mod tell;

use palisade_model::{Estate, ResourceId};
use palisade_net::{Direction, Flow};

use crate::{AnalysisError, Limits, Words};
pub use checks::{Check, Severity};
use sites::Site;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was looked for.
    pub check: &'static Check,
    /// How much it matters here.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// The claim in words.
    pub message: String,
    /// The packets that it is about; none where it is not about packets.
    pub region: Vec<Words>,
    /// One of them.
    pub witness: Option<Flow>,
    /// Rules that hide the rule, as paths.
    pub covered_by: Vec<String>,
}

/// What a finding is about, from the general to the particular.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The NSG, or the security admin collection.
    pub nsg: Option<ResourceId>,
    /// Path of the rule in it: `securityRules/x`, `defaultSecurityRules/x`, or the name of an admin rule.
    pub rule: Option<String>,
    /// The inbound NAT rule of a load balancer.
    pub endpoint: Option<ResourceId>,
    /// The subnet.
    pub subnet: Option<ResourceId>,
    /// Interfaces at which it holds, all alike.
    pub nics: Vec<ResourceId>,
    /// The direction.
    pub direction: Option<Direction>,
}

impl Subject {
    /// The resource in whose text the cause stands.
    pub fn anchor(&self) -> Option<&ResourceId> {
        let of_rules = self.nsg.as_ref().or(self.endpoint.as_ref());
        of_rules.or(self.subnet.as_ref()).or(self.nics.first())
    }
}

/// Something that could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The interface, subnet or NSG.
    pub place: ResourceId,
    /// What is not known of it.
    pub message: String,
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// Findings, the worst first, then by id and place.
    pub findings: Vec<Finding>,
    /// What could not be told.
    pub open: Vec<Open>,
}

/// What all checks ask.
struct Asking<'e> {
    estate: &'e Estate,
    sites: Vec<Site<'e>>,
    now: u32,
    limits: Limits,
}

impl Findings {
    /// Takes the findings about one place, or says that it was too much.
    ///
    /// One NSG of a thousand overlapping rules must not keep the others from being checked.
    fn take(
        &mut self,
        place: &ResourceId,
        found: Result<Vec<Finding>, AnalysisError>,
    ) -> Result<(), AnalysisError> {
        match found {
            Ok(found) => self.findings.extend(found),
            Err(refuted @ AnalysisError::Refuted { .. }) => return Err(refuted),
            Err(error) => self.open(place, error.to_string()),
        }
        Ok(())
    }

    fn open(&mut self, place: &ResourceId, message: String) {
        self.open.push(Open { place: place.clone(), message });
    }
}

/// Everything that is found in an estate at `now`, in seconds since 1970.
///
/// # Errors
/// [`AnalysisError::Refuted`]; what is too complex is [`Findings::open`].
pub fn findings(estate: &Estate, now: u32, limits: Limits) -> Result<Findings, AnalysisError> {
    let asking = Asking { estate, sites: sites::all(estate), now, limits };
    let mut found = Findings::default();
    lists::check(&asking, &mut found)?;
    exposure::check(&asking, &mut found)?;
    inside::check(&asking, &mut found)?;
    shapes::check(&asking, &mut found)?;
    irrelevant::check(&asking, &mut found);
    attached::check(&asking, &mut found);
    endpoints::check(&asking, &mut found)?;
    found.findings.sort_by(|one, other| order(one).cmp(&order(other)));
    found.open.sort_by(|one, other| (&one.place, &one.message).cmp(&(&other.place, &other.message)));
    Ok(found)
}

/// The worst first, then by id, place and rule.
fn order(finding: &Finding) -> impl Ord + '_ {
    let subject = &finding.subject;
    let severity = std::cmp::Reverse(finding.severity);
    (severity, finding.check.id, subject.anchor(), &subject.nics, &subject.rule, &finding.message)
}
