//! How much of what a rule matches it decides, and which rules take the rest: `--explain`.
//!
//! Each list is asked by itself: what another list then says of the same packets is `verify --explain`'s and `matrix`'s.

use palisade_analysis::{AnalysisError, Limits, RuleList, Share, Volume};
use palisade_model::EffectivePolicy;
use palisade_net::{Direction, Family};
use serde_json::{Value, json};

/// The shares of all rules of a policy.
#[derive(Debug)]
pub struct Shares {
    inbound: Vec<Vec<RuleShare>>,
    outbound: Vec<Vec<RuleShare>>,
}

/// That of one rule.
#[derive(Debug)]
pub struct RuleShare {
    share: Share,
    /// Whether the rule is asked now.
    is_asked: bool,
    /// Rules before it that take something of what it matches, by name; the platform's exemption too.
    pub hidden_by: Vec<String>,
}

impl Shares {
    /// Those of a policy at `now`.
    pub fn of(policy: &EffectivePolicy, now: u32) -> Result<Self, AnalysisError> {
        let all = |direction| -> Result<Vec<Vec<RuleShare>>, AnalysisError> {
            let layers = 0..policy.layers(direction).len();
            layers.map(|index| list(policy, direction, index, now)).collect()
        };
        Ok(Self { inbound: all(Direction::Inbound)?, outbound: all(Direction::Outbound)? })
    }

    /// That of a rule.
    pub fn rule(&self, direction: Direction, layer: usize, rule: usize) -> &RuleShare {
        match direction {
            Direction::Inbound => &self.inbound[layer][rule],
            Direction::Outbound => &self.outbound[layer][rule],
        }
    }
}

fn list(
    policy: &EffectivePolicy,
    direction: Direction,
    index: usize,
    now: u32,
) -> Result<Vec<RuleShare>, AnalysisError> {
    let list = RuleList::new(policy, direction, index, now, Limits::default());
    let shares = list.shares()?.rules.into_iter().enumerate();
    let one = |(rule, share): (usize, Share)| {
        let is_less = Family::ALL
            .into_iter()
            .any(|family| share.decided.of(family).most < share.matched.of(family).most);
        let takers = if is_less { list.takers(rule)? } else { Vec::new() };
        let name = |rule: Option<usize>| {
            rule.map_or_else(|| "the platform's exemption".to_owned(), |rule| list.rules()[rule].name.clone())
        };
        let hidden_by = takers.iter().map(|cover| name(cover.rule)).collect();
        Ok(RuleShare { share, is_asked: list.is_asked(rule), hidden_by })
    };
    shares.map(one).collect()
}

impl RuleShare {
    /// How much the rule decides, in words.
    pub fn decides(&self) -> String {
        if !self.is_asked {
            return "not asked".to_owned();
        }
        let matched = |family: &Family| !self.share.matched.of(*family).most.is_zero();
        let said: Vec<(Family, String)> =
            Family::ALL.into_iter().filter(matched).map(|family| (family, self.part(family))).collect();
        match &said[..] {
            [] => "matches nothing".to_owned(),
            [(_, part)] => part.clone(),
            [(_, one), (_, other)] if one == other => one.clone(),
            several => {
                let all: Vec<String> =
                    several.iter().map(|(family, part)| format!("{family} {part}")).collect();
                all.join(", ")
            }
        }
    }

    fn part(&self, family: Family) -> String {
        let (matched, decided) = (self.share.matched.of(family), self.share.decided.of(family));
        let hidden = self.share.hidden(family);
        match () {
            () if decided.most.is_zero() => "never".to_owned(),
            () if decided.least == matched.most => "all".to_owned(),
            () if decided.most == matched.most => "perhaps all".to_owned(),
            () if hidden < 0.000_05 => "almost all".to_owned(),
            () => format!("{:.2} %", (1.0 - hidden) * 100.0),
        }
    }

    /// The same as JSON, with all digits.
    pub fn json(&self) -> Value {
        let volume = |of: fn(&Share) -> (Volume, Volume)| {
            let (least, most) = of(&self.share);
            json!({ "least": least.to_string(), "most": most.to_string() })
        };
        json!({
            "asked": self.is_asked,
            "matched": volume(|share| {
                (share.matched.v4.least + share.matched.v6.least, share.matched.v4.most + share.matched.v6.most)
            }),
            "decided": volume(|share| {
                (share.decided.v4.least + share.decided.v6.least, share.decided.v4.most + share.decided.v6.most)
            }),
            "hiddenBy": self.hidden_by,
        })
    }
}
