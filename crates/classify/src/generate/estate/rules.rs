//! Rules of NSGs and of security admin collections.

use palisade_model::{
    ResourceId,
    spec::{AdminRuleSpec, At, RuleSpec, SideSpec, Text, TextList},
};

use super::{Maker, id, pool};

const ACCESSES: [&str; 2] = ["Allow", "Deny"];
const DIRECTIONS: [&str; 2] = ["Inbound", "Outbound"];

impl Maker {
    /// Up to 14 rules; the last ones are more often about everything.
    pub(super) fn rules(&mut self) -> Vec<RuleSpec> {
        let count = self.random.below(15);
        (0..count).map(|number| self.rule(number, count)).collect()
    }

    fn rule(&mut self, number: usize, count: usize) -> RuleSpec {
        let ipv6 = self.random.chance(35);
        let wide = number + 2 >= count && self.random.chance(40);
        let protocol = if wide { "*" } else { *self.random.pick(&pool::PROTOCOLS) };
        let access = *self.random.pick(&ACCESSES);
        let direction = *self.random.pick(&DIRECTIONS);
        let [not_before, expires_at] = self.window();
        RuleSpec {
            protocol: Some(self.field(protocol)),
            source: self.side(ipv6, wide, 15),
            destination: self.side(ipv6, wide, if protocol == "*" { 30 } else { 55 }),
            access: Some(self.field(access)),
            // Rising with the number; some numbers stand in both directions.
            priority: Some(self.field(&(100 + number * 7).to_string())),
            direction: Some(self.field(direction)),
            not_before,
            expires_at,
            mode: self.random.chance(10).then(|| self.field("Audit")),
            certain: !self.leaves_open(),
            ..RuleSpec::new(&format!("r{number}"))
        }
    }

    /// Mostly nothing; else one end or both.
    fn window(&mut self) -> [Option<Text>; 2] {
        if !self.random.chance(20) {
            return [None, None];
        }
        let first = self.random.below(pool::TIMES.len() - 1);
        let last = first + 1 + self.random.below(pool::TIMES.len() - first - 1);
        let ends = [first, last].map(|time| self.field(pool::TIMES[time]));
        let which = self.random.below(3);
        let mut index = 0;
        ends.map(|end| {
            index += 1;
            (which != index).then_some(end)
        })
    }

    fn field(&mut self, value: &str) -> Text {
        self.given(value.to_owned())
    }

    /// One side; `port_percent` is how often it restricts its ports.
    fn side(&mut self, ipv6: bool, wide: bool, port_percent: usize) -> SideSpec {
        let mut side = SideSpec::default();
        match if wide { 0 } else { self.random.below(10) } {
            0..3 => side.address_prefix = Some(Text::known("*")),
            3 => side.address_prefix = Some(self.one_of(if ipv6 { &pool::V6 } else { &pool::V4 })),
            4..7 => side.address_prefix = Some(self.one_of(&pool::TAGS)),
            7..9 => side.address_prefixes = Some(self.some_of(if ipv6 { &pool::V6 } else { &pool::V4 })),
            _ => {
                let groups = ["/asgs/a", "/asgs/b", "/asgs/empty"].map(id).into_iter();
                let mut groups: Vec<ResourceId> = groups.filter(|_| self.random.chance(50)).collect();
                groups.extend(groups.is_empty().then(|| id("/asgs/a")));
                let groups: Vec<_> = groups.into_iter().map(|group| self.given(group)).collect();
                side.groups = Some(self.given(groups));
            }
        }
        if !self.random.chance(port_percent) {
            side.port_range = Some(Text::known("*"));
        } else if self.random.chance(60) {
            side.port_range = Some(self.one_of(&pool::PORTS));
        } else {
            side.port_ranges = Some(self.some_of(&pool::PORTS));
        }
        side
    }

    pub(super) fn one_of(&mut self, pool: &[&str]) -> Text {
        let value = *self.random.pick(pool);
        self.field(value)
    }

    /// A part of the pool that is not empty.
    fn some_of(&mut self, pool: &[&str]) -> TextList {
        let mut some: Vec<&str> = pool.iter().copied().filter(|_| self.random.chance(30)).collect();
        some.extend(some.is_empty().then(|| pool[0]));
        let some: Vec<Text> = some.into_iter().map(|value| self.field(value)).collect();
        self.given(some)
    }

    /// Up to five security admin rules of all three accesses.
    pub(super) fn admin_rules(&mut self) -> Vec<AdminRuleSpec> {
        let count = 1 + self.random.below(5);
        (0..count).map(|number| self.admin_rule(number)).collect()
    }

    fn admin_rule(&mut self, number: usize) -> AdminRuleSpec {
        let protocol = match *self.random.pick(&pool::PROTOCOLS) {
            "*" => "Any",
            protocol => protocol,
        };
        let access = *self.random.pick(&["Allow", "Deny", "AlwaysAllow"]);
        let direction = *self.random.pick(&DIRECTIONS);
        let sources = self.mixed();
        let destinations = self.mixed();
        let ports = if self.random.chance(50) { vec![self.one_of(&pool::PORTS)] } else { Vec::new() };
        AdminRuleSpec {
            protocol: Some(self.field(protocol)),
            sources,
            destinations,
            destination_port_ranges: ports,
            access: Some(self.field(access)),
            priority: Some(At::known((1 + number * 3).to_string())),
            direction: Some(self.field(direction)),
            ..AdminRuleSpec::new(&format!("a{number}"))
        }
    }

    /// Prefixes of both families and tags, or nothing, which means anything.
    fn mixed(&mut self) -> Vec<Text> {
        let count = self.random.below(3);
        let pools: [&[&str]; 3] = [&pool::V4, &pool::V6, &pool::TAGS];
        (0..count)
            .map(|_| {
                let pool = *self.random.pick(&pools);
                self.one_of(pool)
            })
            .collect()
    }
}
