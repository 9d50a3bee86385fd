//! What is wrong with an input, with Azure's codes and messages where they are known.
//!
//! Validation collects problems; it never stops at the first. Codes are Azure's unless they begin with `Pal`, which marks
//! those that Azure does not publish. Sources: `docs/semantics.md`.

use std::{collections::HashSet, fmt};

use crate::{Place, ResourceId};

/// Whether a problem refuses the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The input is taken; the message says what surprises.
    Warning,
    /// The input is refused as a whole.
    Error,
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $name:ident, )+) => {
        /// A machine-readable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $( $(#[doc = $doc])+ $name, )+ }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$( Self::$name ),+];

            /// The code's text.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($name), )+ }
            }
        }
    };
}

codes! {
    /// Two rules of one NSG and direction have the same priority.
    SecurityRuleConflict,
    /// An address field is neither `*`, an address, a canonical prefix nor a known tag.
    SecurityRuleInvalidAddressPrefix,
    /// A port field is neither `*`, a port nor a range of ports.
    SecurityRuleInvalidPortRange,
    /// A tag or `*` stands in a plural list of prefixes.
    SecurityRuleParameterContainsUnsupportedValue,
    /// Two prefixes of one list overlap.
    OverlappingSubnetsNotPermittedInSecurityRule,
    /// One rule names IPv4 and IPv6 prefixes.
    ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies,
    /// A required field is missing or empty.
    SecurityRuleParametersMissing,
    /// One side gives more than one of: a single value, a list of values, application security groups.
    PalExactlyOneValue,
    /// The application security groups of a rule are of different virtual networks.
    AllApplicationSecurityGroupsInSecurityRuleMustBeFromSameVnet,
    /// More than 1,000 rules.
    SecurityRuleCountLimitReached,
    /// A name has a wrong length or character.
    InvalidResourceName,
    /// A priority outside 100 to 4096 (1 to 4096 for security admin rules).
    SecurityRuleInvalidPriority,
    /// A protocol, access, direction, SKU or policy that does not exist.
    PalInvalidValue,
    /// A description above 140 characters.
    PalDescriptionTooLong,
    /// Two rules of one NSG have the same name.
    DuplicateResourceName,
    /// More addresses and ranges on one side than an NSG may have.
    PalAddressLimitReached,
    /// More application security groups than a rule, an NSG or an interface may have.
    PalApplicationSecurityGroupLimitReached,
    /// The estate has more resources of one kind than a subscription may have.
    PalResourceCountLimitReached,
    /// A prefix of a network, subnet, route or interface cannot be read.
    InvalidAddressPrefixFormat,
    /// A hardware address cannot be read.
    PalInvalidMacAddress,
    /// The IP configurations of one interface are in different application security groups.
    PalIpConfigurationGroupsDiffer,
    /// The IP configurations of one interface are in different subnets.
    PalIpConfigurationSubnetsDiffer,
    /// An interface's members of one application security group are of different virtual networks.
    PalGroupMembersInDifferentNetworks,
    /// A number of a throttle is not known or outside its limits.
    PalInvalidThrottle,
    /// A beginning or an end of a rule cannot be read, or is outside the years 1970 to 2106.
    PalInvalidTime,
    /// A rule is in force at no time.
    PalEmptyWindow,
    /// A tag whose name begins with `palisade-` is none that is known there, or holds a word that is not.
    PalInvalidTag,
    /// A tag of an NSG is about a rule that the NSG does not have.
    PalTagWithoutRule,
    /// A rule's property and the tag about it say different things.
    PalTagDiffers,
    /// The idle timeout is outside 4 to 30 minutes.
    PalInvalidFlowTimeout,
    /// Two inbound NAT rules use the same port and protocol of one frontend.
    PalFrontendPortTaken,
    /// Two inbound NAT rules use the same port and protocol of one machine.
    RulesUseSameBackendPortProtocolAndIPConfig,
    /// An inbound NAT rule leads to more than one IP configuration.
    PalInboundNatRuleTargetsDiffer,
    /// A reference leads to a resource that the input does not hold; what depends on it is unknown.
    InvalidResourceReference,
    /// Two resources of the input have the same id and differ; the later one counts.
    PalDuplicateResource,
    /// A rule restricts the ports of a protocol that has none, so that it matches less than it may seem to.
    PalPortsWithoutProtocol,
    /// A service tag is named, but no tag file was given; what depends on it is unknown.
    PalServiceTagUnresolved,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Machine-readable code.
    pub code: Code,
    /// Whether it refuses the input.
    pub severity: Severity,
    /// What is wrong, in Azure's words where they are known.
    pub message: String,
    /// Where it stands.
    pub place: Place,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.to_string();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What an error is about: a resource, or one rule of it by its number.
pub(crate) type Subject = (ResourceId, Option<usize>);

/// Problems as they are found, and what has an error.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    subject: Option<Subject>,
    /// What is in error, with the first of its errors as an index.
    broken: Vec<(Subject, usize)>,
    /// The same, to be looked up.
    seen: HashSet<Subject>,
}

impl Problems {
    /// What is looked at from now on is a part of this resource.
    pub(crate) fn about(&mut self, resource: &ResourceId) {
        self.subject = Some((resource.clone(), None));
    }

    /// What is looked at from now on is a part of this rule.
    pub(crate) fn about_rule(&mut self, resource: &ResourceId, rule: usize) {
        self.subject = Some((resource.clone(), Some(rule)));
    }

    /// What is looked at from now on is the input as a whole.
    pub(crate) fn about_all(&mut self) {
        self.subject = None;
    }

    pub(crate) fn error(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.push(Severity::Error, code, place, message.into());
    }

    pub(crate) fn warning(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.push(Severity::Warning, code, place, message.into());
    }

    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.found
    }

    /// What has an error, each once, with the first of its errors.
    pub(crate) fn broken(&self) -> impl Iterator<Item = (&Subject, &Problem)> {
        self.broken.iter().map(|(subject, first)| (subject, &self.found[*first]))
    }

    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    fn push(&mut self, severity: Severity, code: Code, place: &Place, message: String) {
        if severity == Severity::Error
            && let Some(subject) = &self.subject
            && self.seen.insert(subject.clone())
        {
            self.broken.push((subject.clone(), self.found.len()));
        }
        self.found.push(Problem { code, severity, message, place: place.clone() });
    }
}
