//! What answers to alerts put at an interface: lists of its own, most of them with an end, and a throttle; beside them time-limited access.

use palisade_model::{
    ResourceId,
    limits::WORKING_SET_MAX,
    spec::{AdminCollectionSpec, AdminRuleSpec, At, OwnList, Place, Text, ThrottleSpec},
};

use super::{Maker, id, pool};

/// Ports of doors and forensic paths, which flows are to meet.
const PORTS: [&str; 3] = ["22", "443", "3389"];

impl Maker {
    /// Lists of the interface `n`'s own; a machine in quarantine is rare, since it hides all others.
    pub(super) fn own_lists(&mut self) -> Vec<AdminCollectionSpec> {
        let mut lists = Vec::new();
        if self.random.chance(15) {
            lists.push(own("/own/isolation", OwnList::Quarantine, self.isolation()));
        }
        if self.random.chance(75) {
            lists.push(own("/own/barred", OwnList::Lockout, self.barred()));
        }
        if self.random.chance(60) {
            lists.push(own("/own/doors", OwnList::Door, self.doors()));
        }
        lists
    }

    /// Forensic paths, and nothing else.
    fn isolation(&mut self) -> Vec<AdminRuleSpec> {
        let paths = self.random.below(4);
        let mut rules: Vec<_> =
            (0..paths).map(|number| self.opening(&format!("forensic-{number}"))).collect();
        rules.extend(["Inbound", "Outbound"].map(|way| rule(&format!("quarantine-{way}"), "Deny", way)));
        rules
    }

    /// Sources that are locked out, and pairs that are blocked.
    fn barred(&mut self) -> Vec<AdminRuleSpec> {
        let mut rules = Vec::new();
        for number in 0..1 + self.random.below(4) {
            let (who, end) = (vec![self.somebody()], self.end());
            let inbound = AdminRuleSpec {
                sources: who.clone(),
                expires_at: end.clone(),
                ..rule("", "Deny", "Inbound")
            };
            if self.random.chance(50) {
                let name = Text::known(format!("lockout-{number}"));
                rules.push(AdminRuleSpec { name, ..inbound });
                continue;
            }
            let outbound = rule(&format!("block-{number}-Outbound"), "Deny", "Outbound");
            rules.push(AdminRuleSpec { name: Text::known(format!("block-{number}-Inbound")), ..inbound });
            rules.push(AdminRuleSpec { destinations: who, expires_at: end, ..outbound });
        }
        rules
    }

    /// A port that is closed, but for who was granted it.
    fn doors(&mut self) -> Vec<AdminRuleSpec> {
        let port = self.one_of(&PORTS);
        let grants = self.random.below(4);
        let mut rules = Vec::new();
        for number in 0..grants {
            let expires_at = self.end();
            let destination_port_ranges = vec![port.clone()];
            rules.push(AdminRuleSpec {
                expires_at,
                destination_port_ranges,
                ..self.opening(&format!("grant-{number}"))
            });
        }
        let door = rule("door-0", "Deny", "Inbound");
        let protocol = Some(Text::known("Tcp"));
        rules.push(AdminRuleSpec { protocol, destination_port_ranges: vec![port], ..door });
        rules
    }

    /// One source that gets in at one port, whatever stands behind.
    fn opening(&mut self, name: &str) -> AdminRuleSpec {
        let (source, port) = (self.somebody(), self.one_of(&PORTS));
        AdminRuleSpec {
            protocol: Some(Text::known("Tcp")),
            sources: vec![source],
            destination_port_ranges: vec![port],
            ..rule(name, "AlwaysAllow", "Inbound")
        }
    }

    fn somebody(&mut self) -> Text {
        let pools: [&[&str]; 2] = [&pool::V4, &pool::V6];
        let pool = *self.random.pick(&pools);
        self.one_of(pool)
    }

    /// Mostly an end.
    fn end(&mut self) -> Option<Text> {
        let end = *self.random.pick(&pool::TIMES);
        self.random.chance(70).then(|| Text::known(end))
    }

    /// One token a second, so that a test that takes less earns none.
    pub(super) fn throttles(&mut self) -> Vec<ThrottleSpec> {
        if self.random.chance(40) {
            return Vec::new();
        }
        let working_set = 1 + self.random.below(WORKING_SET_MAX as usize / 2);
        vec![ThrottleSpec {
            id: id("/own/throttle"),
            throttle: None,
            interface: Some(At::known(id("/nics/n"))),
            per_second: Some(At::known(1)),
            working_set: Some(At::known(working_set as i64)),
            expires_at: self.end(),
            place: Place::default(),
        }]
    }
}

fn rule(name: &str, access: &str, direction: &str) -> AdminRuleSpec {
    let (access, direction) = (Some(Text::known(access)), Some(Text::known(direction)));
    AdminRuleSpec { access, direction, ..AdminRuleSpec::new(name) }
}

/// A list whose rules stand in their order.
fn own(name: &str, own_list: OwnList, mut rules: Vec<AdminRuleSpec>) -> AdminCollectionSpec {
    for (number, rule) in rules.iter_mut().enumerate() {
        rule.priority = Some(Text::known((number + 1).to_string()));
    }
    let none: [ResourceId; 0] = [];
    let interface = Some(At::known(id("/nics/n")));
    AdminCollectionSpec { rules, interface, own_list, ..AdminCollectionSpec::new(id(name), none) }
}
