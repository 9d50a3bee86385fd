//! The ledger against a naive model, over random sequences of actions; and each refusal once.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::ResourceId;
use palisade_net::{Prefix, Protocol, ProtocolMatch};
use proptest::prelude::*;

use super::*;

const PORTS: [u16; 3] = [22, 3389, 5985];
const PEOPLE: [&str; 3] = ["ada", "bob", "eve"];
/// The doors' limits; the second needs approval.
const LIMITS: [u32; 3] = [3_600, 7_200, 86_400];

fn vm() -> ResourceId {
    ResourceId::new("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1")
}

fn person(name: &str) -> Person {
    Person { id: format!("id-{name}"), name: name.to_owned() }
}

fn source(index: usize) -> Prefix {
    ["10.0.0.1/32", "10.0.0.0/24", "192.0.2.7/32"][index % 3].parse().expect("a prefix")
}

/// The policy with the doors that `present` has a bit for.
fn policy(present: u8) -> Policy {
    let doors = (0..3).filter(|door| present >> door & 1 == 1).map(|door| Door {
        port: PORTS[door],
        protocol: ProtocolMatch::TCP,
        // The third door is for one network only.
        sources: if door == 2 { vec![source(1)] } else { Vec::new() },
        limit: LIMITS[door],
        needs_approval: door == 1,
    });
    Policy::new(vec![Machine { id: vm(), doors: doors.collect() }]).expect("a policy within its limits")
}

fn ask(name: &str, who: &str, port: u16, sources: Vec<Prefix>, until: u32) -> Ask {
    Ask {
        name: name.to_owned(),
        requester: person(who),
        address: "10.0.0.1".to_owned(),
        reason: "patching".to_owned(),
        ticket: None,
        once: false,
        wanted: vec![Wanted { machine: vm(), port, protocol: None, sources, until }],
    }
}

#[derive(Debug, Clone)]
enum Step {
    Request { who: usize, door: usize, source: usize, seconds: u32, once: bool },
    Approve { who: usize, nth: usize },
    Close { who: usize, nth: usize },
    Extend { who: usize, nth: usize, seconds: u32 },
    Use { nth: usize },
    Policy { present: u8 },
    Wait { seconds: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = || prop_oneof![Just(0_u32), Just(3_600), Just(3_601), 1..90_000_u32];
    let (who, nth) = (|| 0..3_usize, || 0..12_usize);
    prop_oneof![
        5 => (who(), who(), who(), seconds(), any::<bool>()).prop_map(|(who, door, source, seconds, once)| {
            Step::Request { who, door, source, seconds, once }
        }),
        3 => (who(), nth()).prop_map(|(who, nth)| Step::Approve { who, nth }),
        1 => (who(), nth()).prop_map(|(who, nth)| Step::Close { who, nth }),
        2 => (who(), nth(), seconds()).prop_map(|(who, nth, seconds)| Step::Extend { who, nth, seconds }),
        1 => nth().prop_map(|nth| Step::Use { nth }),
        1 => (1..8_u8).prop_map(|present| Step::Policy { present }),
        4 => prop_oneof![1..100_u32, 1_000..20_000_u32].prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// One grant as the model knows it: flags, no states.
#[derive(Debug, Clone)]
struct Line {
    who: usize,
    door: usize,
    source: usize,
    begun: u32,
    end: u32,
    approved: bool,
    once: bool,
    dead: bool,
}

impl Line {
    fn is_alive(&self, now: u32) -> bool {
        !self.dead && now < self.end
    }

    fn is_open(&self, now: u32) -> bool {
        self.is_alive(now) && self.approved
    }
}

#[derive(Debug)]
struct Model {
    lines: Vec<Line>,
    present: u8,
}

impl Model {
    /// Does a step; whether it is one that must be done.
    fn take(&mut self, step: &Step, now: u32) -> bool {
        match *step {
            Step::Request { who, door, source, seconds, once } => {
                let is_from = door != 2 || source < 2;
                if self.present >> door & 1 == 0 || seconds == 0 || seconds > LIMITS[door] || !is_from {
                    return false;
                }
                for line in self.lines.iter_mut().filter(|line| line.is_alive(now)) {
                    line.dead |= (line.who, line.door, line.source) == (who, door, source);
                }
                let (end, approved) = (now + seconds, door != 1);
                self.lines.push(Line { who, door, source, begun: now, end, approved, once, dead: false });
                true
            }
            Step::Approve { who, nth } => self.change(nth, |line| {
                let may = line.is_alive(now) && !line.approved && line.who != who;
                line.approved |= may;
                may
            }),
            Step::Close { nth, .. } => self.change(nth, |line| {
                let may = line.is_alive(now);
                line.dead |= may;
                may
            }),
            Step::Extend { who, nth, seconds } => self.change(nth, |line| {
                let (end, own) = (now + seconds, line.door == 1 && line.who == who);
                let fits = seconds <= LIMITS[line.door] && end - line.begun <= LIMIT_MAX && end > line.end;
                let may = line.is_open(now) && !own && fits;
                if may {
                    line.end = end;
                }
                may
            }),
            Step::Use { nth } => self.change(nth, |line| {
                let may = line.is_open(now) && line.once;
                line.dead |= may;
                may
            }),
            Step::Policy { present } => {
                self.present = present;
                for line in self.lines.iter_mut().filter(|line| line.is_alive(now)) {
                    line.dead |= present >> line.door & 1 == 0;
                }
                true
            }
            Step::Wait { .. } => true,
        }
    }

    fn change(&mut self, nth: usize, change: impl FnOnce(&mut Line) -> bool) -> bool {
        self.lines.get_mut(nth).is_some_and(change)
    }

    /// Whether the policy lets a packet pass; `None` if the port is no door.
    fn passes(&self, from: IpAddr, door: usize, at: u32) -> Option<bool> {
        let opens = |line: &Line| line.door == door && line.is_open(at) && source(line.source).contains(from);
        (self.present >> door & 1 == 1).then(|| self.lines.iter().any(opens))
    }
}

/// Does the same to the ledger.
fn take(ledger: &mut Ledger, step: &Step, now: u32, count: usize) -> Result<(), AccessError> {
    match *step {
        Step::Request { who, door, source: from, seconds, once } => {
            let asked =
                ask(&format!("r{count}"), PEOPLE[who], PORTS[door], vec![source(from)], now + seconds);
            ledger.request(Ask { once, ..asked }, now).map(drop)
        }
        Step::Approve { who, nth } => ledger.approve(&format!("R{nth}"), &person(PEOPLE[who]), now).map(drop),
        Step::Close { who, nth } => ledger.close(&format!("r{nth}"), &person(PEOPLE[who]), now).map(drop),
        Step::Extend { who, nth, seconds } => {
            ledger.extend(&format!("r{nth}"), &person(PEOPLE[who]), now + seconds, now).map(drop)
        }
        Step::Use { nth } => {
            let name = format!("r{nth}");
            let grant = ledger.find(&name)?.grants[0].clone();
            let used = used(grant.sources[0].address(), 50_000, now);
            ledger.begin_use(&name, grant.port, used)?;
            ledger.end_use(&name, grant.port, used).map(drop)
        }
        Step::Policy { present } => {
            ledger.replace(policy(present), now);
            Ok(())
        }
        Step::Wait { .. } => Ok(()),
    }
}

/// What the rules do to a packet: the first that matches decides.
fn judged(rules: &[AccessRule], from: IpAddr, port: u16, at: u32) -> Option<bool> {
    let matching = rules.iter().filter(|rule| rule.port == port && rule.protocol.matches(Protocol::TCP));
    let mut verdicts = matching.filter_map(|rule| match &rule.open {
        None => Some(false),
        Some((sources, end)) => (at < *end && sources.iter().any(|one| one.contains(from))).then_some(true),
    });
    verdicts.next()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// After each step both say the same of every packet, now and at every later time at which something ends.
    #[test]
    fn the_ledger_is_as_its_model(steps in prop::collection::vec(step(), 1..40)) {
        let mut now = 1_700_000_000;
        let mut ledger = Ledger::new(policy(7), Vec::new());
        let mut model = Model { lines: Vec::new(), present: 7 };
        for step in steps {
            if let Step::Wait { seconds } = step {
                now += seconds;
            }
            let count = model.lines.len();
            let done = model.take(&step, now);
            let outcome = take(&mut ledger, &step, now, count);
            prop_assert_eq!(outcome.is_ok(), done, "{:?}: {:?}", step, outcome);
            // What the requests themselves tell is enough to leave out what is over.
            prop_assert!(ledger.latest() <= now);
            let kept = ledger.rules(&vm(), ledger.latest());
            prop_assert!(kept.len() <= GRANTS_MAX + DOORS_MAX);
            let rules = ledger.rules(&vm(), now);
            prop_assert!(rules.iter().all(|rule| rule.open.as_ref().is_none_or(|(_, end)| *end > now)));
            let ends = model.lines.iter().flat_map(|line| [line.end - 1, line.end]);
            for at in ends.chain([now]).filter(|at| *at >= now) {
                for from in [[10, 0, 0, 1], [10, 0, 0, 9], [192, 0, 2, 7], [192, 0, 2, 8]] {
                    let from = IpAddr::from(Ipv4Addr::from(from));
                    for (door, port) in PORTS.iter().enumerate() {
                        let (ours, theirs) = (judged(&rules, from, *port, at), model.passes(from, door, at));
                        prop_assert_eq!(ours, theirs, "{} to {} at {}", from, port, at);
                        prop_assert_eq!(judged(&kept, from, *port, at), theirs);
                    }
                }
            }
        }
    }
}

const NOW: u32 = 1_700_000_000;

/// A connection over TCP.
fn used(address: IpAddr, port: u16, at: u32) -> Used {
    Used { protocol: Protocol::TCP, source: (address, port), at }
}

/// A ledger with one request of ada's at a door.
fn asked(door: usize) -> Ledger {
    let mut ledger = Ledger::new(policy(7), Vec::new());
    ledger
        .request(ask("r", "ada", PORTS[door], vec![source(0)], NOW + 600), NOW)
        .expect("it may be asked for");
    ledger
}

#[test]
fn a_grant_has_every_state() {
    let state = |ledger: &Ledger, at: u32| {
        let request = ledger.find("r").expect("it was asked for");
        request.grants[0].state(request, at)
    };
    let mut ledger = asked(1);
    assert_eq!(state(&ledger, NOW), State::Pending);
    assert_eq!(state(&ledger, NOW + 600), State::Expired, "nobody has approved");
    ledger.approve("r", &person("bob"), NOW).expect("somebody else approves");
    assert_eq!(state(&ledger, NOW + 599), State::Active);
    assert_eq!(state(&ledger, NOW + 600), State::Expired);
    let mut revoked = ledger.clone();
    revoked.close("r", &person("bob"), NOW).expect("it is open");
    assert_eq!(state(&revoked, NOW), State::Revoked);
    ledger.close("r", &person("ada"), NOW).expect("it is open");
    assert_eq!(state(&ledger, NOW + 601), State::EndedEarly);
    let mut once = Ledger::new(policy(7), Vec::new());
    let one = Ask { once: true, ..ask("r", "ada", PORTS[0], vec![source(0)], NOW + 600) };
    once.request(one, NOW).expect("it may be asked for");
    once.begin_use("r", PORTS[0], used(source(0).address(), 50_000, NOW + 1)).expect("it is open");
    assert_eq!(state(&once, NOW + 2), State::Active, "until its connection is over");
    once.end_use("r", PORTS[0], used(source(0).address(), 50_000, NOW + 3)).expect("it is open");
    assert_eq!(state(&once, NOW + 3), State::UsedUp);
    assert_eq!(State::ALL.map(State::name).len(), 6);
}

#[test]
fn one_use_is_the_first_connections_alone() {
    let mut ledger = Ledger::new(policy(7), Vec::new());
    let one = Ask { once: true, ..ask("r", "ada", PORTS[0], vec![source(0)], NOW + 600) };
    ledger.request(one, NOW).expect("it may be asked for");
    let (from, port) = (source(0).address(), PORTS[0]);
    let opened = |ledger: &Ledger| {
        let rules = ledger.rules(&vm(), NOW);
        let open = rules.into_iter().find(|rule| rule.open.is_some())?;
        Some((open.open.expect("it was looked for").0, open.source_port))
    };
    assert_eq!(opened(&ledger), Some((vec![source(0)], None)));
    let outside = used([203, 0, 113, 250].into(), 50_000, NOW);
    assert!(ledger.begin_use("r", port, outside).is_err(), "it could not have come through this door");
    assert!(ledger.begin_use("r", port + 1, used(from, 50_000, NOW)).is_err(), "it is another port");
    ledger.begin_use("r", port, used(from, 50_000, NOW)).expect("it is the first");
    assert_eq!(opened(&ledger), Some((vec![Prefix::host(from)], Some(50_000))));
    let other = used(from, 50_001, NOW + 1);
    let refused = ledger.begin_use("r", port, other).expect_err("it has been used").to_string();
    assert_eq!(refused, "port 22 of request r is not for the connection from 10.0.0.1:50001");
    assert!(ledger.end_use("r", port, other).is_err(), "it was another connection's");
    assert_eq!(opened(&ledger), Some((vec![Prefix::host(from)], Some(50_000))));
    ledger.end_use("r", port, used(from, 50_000, NOW + 9)).expect("it was its own");
    assert_eq!(opened(&ledger), None);
}

#[test]
fn who_asked_does_not_approve() {
    let mut ledger = asked(1);
    assert_eq!(ledger.approve("r", &person("ada"), NOW), Err(AccessError::OwnRequest("r".to_owned())));
    ledger.approve("r", &person("bob"), NOW).expect("somebody else approves");
    let again = ledger.approve("r", &person("eve"), NOW).expect_err("it is approved");
    assert_eq!(again.to_string(), "nothing of request r is waiting for approval (it is Active)");
}

#[test]
fn refusals_name_the_value_and_change_nothing() {
    let mut ledger = asked(0);
    let before = ledger.clone();
    let mut refused = |asked: Ask, says: &str| {
        let error = ledger.request(asked, NOW).expect_err("it is refused");
        assert!(error.to_string().contains(says), "{error}");
    };
    refused(ask("x", "ada", 80, vec![source(0)], NOW + 60), "port 80 of /subscriptions/s");
    refused(ask("x", "ada", 22, vec![source(0)], NOW), "the end of port 22 has passed");
    refused(
        ask("x", "ada", 22, vec![source(0)], NOW + 3_601),
        "asked for 1h1s, and the policy allows 1h (ask for less)",
    );
    refused(ask("x", "ada", 5985, vec![source(2)], NOW + 60), "may not be opened to 192.0.2.7");
    refused(ask("x", "ada", 22, Vec::new(), NOW + 60), "prefixes of a port: 0 are given");
    let long = Ask { reason: "x".repeat(501), ..ask("x", "ada", 22, vec![source(0)], NOW + 60) };
    refused(long, "the reason has 501 characters");
    assert_eq!(ledger, before);
}

#[test]
fn policies_keep_their_limits() {
    let door = |port: u16, protocol, limit: u32| Door {
        port,
        protocol,
        sources: Vec::new(),
        limit,
        needs_approval: false,
    };
    let of = |doors: Vec<Door>| Policy::new(vec![Machine { id: vm(), doors }]).map(drop);
    let (tcp, any) = (ProtocolMatch::TCP, ProtocolMatch::Any);
    assert_eq!(of(vec![door(22, tcp, 300), door(22, ProtocolMatch::UDP, 86_400)]), Ok(()));
    assert_eq!(of(vec![door(0, tcp, 300)]), Err(AccessError::PortZero));
    assert_eq!(of(vec![door(22, tcp, 299)]), Err(AccessError::Limit { port: 22, seconds: 299 }));
    assert_eq!(of(vec![door(22, tcp, 86_401)]), Err(AccessError::Limit { port: 22, seconds: 86_401 }));
    let twice = AccessError::DoorTwice { machine: vm(), port: 22 };
    assert_eq!(of(vec![door(22, tcp, 300), door(22, any, 300)]), Err(twice));
    assert!(of(vec![door(22, ProtocolMatch::Icmp, 300)]).is_err());
    assert!(of(Vec::new()).is_err());
    assert!(of((1..=33).map(|port| door(port, tcp, 300)).collect()).is_err());
    assert!(Policy::new(Vec::new()).is_err());
}

#[test]
fn what_has_ended_is_crowded_out_and_what_is_alive_is_not() {
    let mut ledger = Ledger::new(policy(7), Vec::new());
    for number in 0..REQUESTS_MAX + 10 {
        // Each ends before the next; the first stays open.
        let seconds = if number == 0 { 3_600 } else { 1 };
        let now = NOW + u32::try_from(number).expect("a small number");
        let from = Prefix::host(IpAddr::from(Ipv4Addr::from(u32::try_from(number).expect("small"))));
        let asked = ask(&format!("r{number}"), "ada", 22, vec![from], now + seconds);
        ledger.request(asked, now).expect("the others have ended");
    }
    assert_eq!(ledger.requests().len(), REQUESTS_MAX);
    assert_eq!(ledger.requests()[0].name, "r0");
    assert_eq!(ledger.requests()[1].name, "r11");
}

#[test]
fn grants_of_one_machine_are_limited() {
    let mut ledger = Ledger::new(policy(7), Vec::new());
    let one = |number: usize| {
        let from = Prefix::host(IpAddr::from(Ipv4Addr::from(u32::try_from(number).expect("small"))));
        ask(&format!("r{number}"), "ada", 22, vec![from], NOW + 60)
    };
    for number in 0..GRANTS_MAX {
        ledger.request(one(number), NOW).expect("there is room");
    }
    // A minute later they have all ended, and no rule is left of them.
    let mut later = ledger.clone();
    let more = Ask {
        wanted: vec![Wanted { until: NOW + 120, ..one(GRANTS_MAX).wanted.remove(0) }],
        ..one(GRANTS_MAX)
    };
    later.request(more, NOW + 60).expect("the others have ended");
    assert_eq!(later.rules(&vm(), later.latest()).len(), 1 + 3);
    let full = ledger.request(one(GRANTS_MAX), NOW).map(drop);
    assert_eq!(full, Err(AccessError::TooMany { machine: vm(), most: GRANTS_MAX }));
    // The same again takes the place of what it was.
    ledger.request(Ask { name: "again".to_owned(), ..one(3) }, NOW).expect("it replaces one");
}

#[test]
fn a_tunnel_keeps_to_the_terms_of_its_door() {
    let knock = |door: usize, from: &str, seconds| Knock {
        machine: vm(),
        port: PORTS[door],
        by: person("ada"),
        from: from.parse().ok(),
        seconds,
    };
    let until = |seconds| Ok(Some(Passage { until: NOW + seconds, request: None }));
    let mut ledger = asked(1);
    let other = Knock { port: 80, ..knock(0, "10.0.0.1", None) };
    assert_eq!(ledger.passage(&other, NOW), Ok(None), "it is no door");
    assert_eq!(ledger.passage(&knock(0, "192.0.2.7", None), NOW), until(TUNNEL_TIME));
    assert_eq!(ledger.passage(&knock(0, "", Some(60)), NOW), until(60), "from anywhere");
    assert_eq!(
        ledger.passage(&knock(0, "10.0.0.1", Some(3_601)), NOW),
        Err(AccessError::TooLong { port: 22, asked: 3_601, limit: 3_600 })
    );
    assert_eq!(ledger.passage(&knock(2, "::ffff:10.0.0.9", None), NOW), until(TUNNEL_TIME));
    for from in ["192.0.2.7", ""] {
        let refused = ledger.passage(&knock(2, from, None), NOW);
        assert!(matches!(refused, Err(AccessError::Source { port: 5985, .. })), "{from:?}");
    }
    let agreed = knock(1, "10.0.0.1", None);
    assert_eq!(ledger.passage(&agreed, NOW), Err(AccessError::NotApproved { machine: vm(), port: 3389 }));
    ledger.approve("r", &person("bob"), NOW).expect("it waits");
    let resting = Passage { until: NOW + 600, request: Some("r".to_owned()) };
    assert_eq!(ledger.passage(&agreed, NOW), Ok(Some(resting)), "it ends with what it rests on");
    assert!(ledger.passage(&Knock { by: person("bob"), ..agreed }, NOW).is_err(), "it is hers");
    assert!(ledger.holds("r", &vm(), 3389, NOW + 599));
    assert!(!ledger.holds("r", &vm(), 3389, NOW + 600) && !ledger.holds("r", &vm(), 22, NOW));
}
