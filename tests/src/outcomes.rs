//! Every outcome that a decision can have, and a tally of those that a test reached.

use palisade_classify::{Decision, Hit, Reason, Verdict};
use palisade_model::{
    Access, AddressField, ComputedTag, EffectivePolicy, EffectiveRule, Layer, Mode, Rule, Window,
    default_rules,
};
use palisade_net::{Direction, Family, Flow, Protocol};

use crate::{judge::Judgment, tally::Tally};

/// Outcomes of decisions about flows of fully known policies.
#[derive(Debug, Clone, Default)]
pub struct Outcomes(Tally);

impl Outcomes {
    /// Counts one judgment at an interface which is in audit or not.
    pub fn count(&mut self, policy: &EffectivePolicy, flow: &Flow, judgment: &Judgment, audit: bool) {
        self.count_audit(policy, flow, judgment, audit);
        self.count_decision(policy, flow, &judgment.decision);
    }

    fn count_audit(&mut self, policy: &EffectivePolicy, flow: &Flow, judgment: &Judgment, audit: bool) {
        let layers = policy.layers(flow.direction());
        let by = match (judgment.decision.verdict, judgment.decision.shadow) {
            (Verdict::Deny, _) if audit => "interface",
            (Verdict::Allow, Some(shadow)) => match shadow.hit {
                Hit::Rule { layer, rule } if layers[layer].rules[rule].mode == Mode::Audit => "rule",
                _ => "list",
            },
            _ => return,
        };
        self.0.count("passed by audit of", by);
    }

    /// Counts where a moment lies in the window of the rule that would decide if there were no windows.
    pub fn count_window(&mut self, window: Window, now: u32) {
        if window == Window::ALWAYS {
            return;
        }
        let place = match window.not_before() {
            _ if window.contains(now) => "in",
            Some(first) if now < first => "not yet",
            _ => "over",
        };
        self.0.count("window", place);
    }

    fn count_decision(&mut self, policy: &EffectivePolicy, flow: &Flow, decision: &Decision) {
        let verdict = decision.verdict;
        let tally = &mut self.0;
        tally.count("verdict", verdict);
        tally.count("reason", decision.reason);
        tally.count("direction", format!("{}/{verdict}", flow.direction()));
        tally.count("family", format!("{:?}/{verdict}", flow.family()));
        tally.count("protocol", format!("{}/{verdict}", kind(flow.protocol())));
        let Hit::Rule { layer, rule } = decision.hit else { return };
        let layer = &policy.layers(flow.direction())[layer];
        let rule = &layer.rules[rule];
        tally.count("layer", format!("{:?}/{verdict}", layer.layer));
        if layer.layer == Layer::Admin {
            tally.count("admin rule", rule.access.known().expect("the policy is known"));
        }
        if decision.reason == Reason::DefaultRule {
            tally.count("default rule", &rule.name);
        }
        for field in [&rule.source_field, &rule.destination_field] {
            tally.count("address field", field_kind(field));
        }
        for tag in ComputedTag::ALL.into_iter().filter(|tag| names(rule, *tag)) {
            tally.count("computed tag", tag.name());
        }
    }

    /// Adds what another part of the test reached.
    pub fn add(&mut self, other: Self) {
        self.0.add(other.0);
    }

    /// Fails unless every outcome was reached at least so often.
    ///
    /// # Panics
    /// With the outcomes that are missing.
    pub fn require_all(&self, least: u64) {
        let tally = &self.0;
        let verdicts = [Verdict::Allow, Verdict::Deny];
        let with_verdicts = |name: &str| verdicts.map(|verdict| format!("{name}/{verdict}"));
        tally.require("verdict", verdicts, least);
        let known = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Undetermined);
        tally.require("reason", known, least);
        tally.require("direction", Direction::ALL.map(|d| with_verdicts(&d.to_string())).concat(), least);
        tally.require("family", Family::ALL.map(|f| with_verdicts(&format!("{f:?}"))).concat(), least);
        tally.require("protocol", KINDS.map(with_verdicts).concat(), least);
        let layers = [Layer::Admin, Layer::Subnet, Layer::NetworkInterface];
        tally.require("layer", layers.map(|l| with_verdicts(&format!("{l:?}"))).concat(), least);
        tally.require("layer", [format!("{:?}/{}", Layer::PublicAddress, Verdict::Deny)], least);
        tally.require("admin rule", [Access::Allow, Access::AlwaysAllow, Access::Deny], least);
        let defaults = Direction::ALL.map(default_rules).concat();
        tally.require("default rule", defaults.iter().map(Rule::name), least);
        tally.require("address field", FIELDS, least);
        tally.require("computed tag", ComputedTag::ALL.map(ComputedTag::name), least);
        tally.require("passed by audit of", ["rule", "list", "interface"], least);
        tally.require("window", ["not yet", "in", "over"], least);
    }

    /// The counts, one topic a line.
    pub const fn tally(&self) -> &Tally {
        &self.0
    }
}

const KINDS: [&str; 7] = ["Tcp", "Udp", "Icmp", "Icmpv6", "Esp", "Ah", "other"];

fn kind(protocol: Protocol) -> String {
    let name = protocol.to_string();
    if KINDS.contains(&name.as_str()) { name } else { "other".to_owned() }
}

const FIELDS: [&str; 4] = ["any", "prefixes", "tag", "groups"];

const fn field_kind(field: &AddressField) -> &'static str {
    match field {
        AddressField::Any => "any",
        AddressField::Prefixes(_) => "prefixes",
        AddressField::Tag(_) => "tag",
        AddressField::Mixed(..) => "mixed",
        AddressField::Groups(_) => "groups",
        AddressField::Unknown(_) => "unknown",
    }
}

fn names(rule: &EffectiveRule, tag: ComputedTag) -> bool {
    let name = tag.name().parse().expect("computed tags have valid names");
    [&rule.source_field, &rule.destination_field].iter().any(|field| field.names_tag(&name))
}
