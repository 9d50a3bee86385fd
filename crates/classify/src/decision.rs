//! What happens to a flow, and which rule says so.
//!
//! It must not know how the answer was found: the oracle and the compiled engine both answer with these types, and are
//! compared by equality.

use std::fmt;

use palisade_model::{EffectivePolicy, EffectiveRule, Layer};
use palisade_net::Direction;

/// Whether a flow passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It passes.
    Allow,
    /// It is dropped.
    Deny,
    /// It depends on something that the estate does not tell.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
            Self::Unknown => "Unknown",
        })
    }
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A user's rule of an NSG decided.
    UserRule,
    /// A default rule of an NSG decided.
    DefaultRule,
    /// A security admin rule decided.
    AdminRule,
    /// No NSG is attached, and nothing else closes the interface.
    NoSecurityGroup,
    /// The platform delivers this traffic whatever the rules say.
    PlatformExempt,
    /// DHCP or neighbour discovery, which no rule governs.
    LinkControl,
    /// A Standard public address without any NSG is closed to the Internet.
    PublicAddressClosed,
    /// The estate does not tell enough.
    Undetermined,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::UserRule,
        Self::DefaultRule,
        Self::AdminRule,
        Self::NoSecurityGroup,
        Self::PlatformExempt,
        Self::LinkControl,
        Self::PublicAddressClosed,
        Self::Undetermined,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What one layer says, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hit {
    /// No layer had anything to say.
    Nothing,
    /// The layer of this index exempts the platform's traffic.
    Exempt {
        /// Index in [`EffectivePolicy::layers`].
        layer: usize,
    },
    /// A rule.
    Rule {
        /// Index in [`EffectivePolicy::layers`].
        layer: usize,
        /// Index in [`palisade_model::EffectiveLayer::rules`].
        rule: usize,
    },
}

/// The answer for one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Whether it passes.
    pub verdict: Verdict,
    /// What decided: the first layer that denied, else the last that allowed.
    pub hit: Hit,
    /// Why.
    pub reason: Reason,
    /// The answer if nothing were in audit, where it is another one.
    pub shadow: Option<Shadow>,
}

/// The answer if what is in audit were enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shadow {
    /// Whether the flow would pass.
    pub verdict: Verdict,
    /// What would decide.
    pub hit: Hit,
    /// Why.
    pub reason: Reason,
}

impl Decision {
    /// The answer for traffic that no rule governs.
    pub(crate) const LINK_CONTROL: Self =
        Self { verdict: Verdict::Allow, hit: Hit::Nothing, reason: Reason::LinkControl, shadow: None };
    /// The answer where the estate does not tell enough.
    pub const UNDETERMINED: Self =
        Self { verdict: Verdict::Unknown, hit: Hit::Nothing, reason: Reason::Undetermined, shadow: None };

    /// The answer of a known hit.
    pub fn of(verdict: Verdict, hit: Hit, policy: &EffectivePolicy, direction: Direction) -> Self {
        let reason = match hit {
            Hit::Nothing if verdict == Verdict::Allow => Reason::NoSecurityGroup,
            // A list without an end: it fails closed.
            Hit::Nothing => Reason::Undetermined,
            Hit::Exempt { .. } => Reason::PlatformExempt,
            Hit::Rule { layer, rule } => {
                let layer = &policy.layers(direction)[layer];
                match layer.layer {
                    Layer::Admin => Reason::AdminRule,
                    Layer::PublicAddress => Reason::PublicAddressClosed,
                    _ if layer.rules[rule].is_default() => Reason::DefaultRule,
                    _ => Reason::UserRule,
                }
            }
        };
        Self { verdict, hit, reason, shadow: None }
    }

    /// The answer with what would be if nothing were in audit.
    pub(crate) fn beside(self, shadow: Self) -> Self {
        let Self { verdict, hit, reason, .. } = shadow;
        let differs = verdict != self.verdict;
        Self { shadow: differs.then_some(Shadow { verdict, hit, reason }), ..self }
    }

    /// The deciding rule in words: its place, the NSG's or collection's name, and its path.
    pub fn explain<'a>(&self, policy: &'a EffectivePolicy, direction: Direction) -> Explanation<'a> {
        self.hit.explain(policy, direction)
    }
}

impl Hit {
    /// The rule in words: its place, the NSG's or collection's name, and its path.
    pub fn explain(self, policy: &EffectivePolicy, direction: Direction) -> Explanation<'_> {
        match self {
            Self::Rule { layer, rule } => {
                let layer = &policy.layers(direction)[layer];
                let (rule, written) = (&layer.rules[rule], layer.layer != Layer::PublicAddress);
                Explanation {
                    layer: written.then_some(layer.layer),
                    nsg: rule.collection.as_deref().or(layer.name.as_deref()),
                    rule: written.then_some(rule),
                }
            }
            Self::Nothing | Self::Exempt { .. } => Explanation { layer: None, nsg: None, rule: None },
        }
    }
}

/// The deciding rule, resolved to names.
#[derive(Debug, Clone, Copy)]
pub struct Explanation<'a> {
    /// Where it stands; `None` if no rule decided.
    pub layer: Option<Layer>,
    /// Name of its NSG or collection.
    pub nsg: Option<&'a str>,
    /// The rule.
    pub rule: Option<&'a EffectiveRule>,
}
