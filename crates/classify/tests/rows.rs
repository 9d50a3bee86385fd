//! The encoded blob gives the same answer as asking row after row: what decides, what is only counted, and until when.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use palisade_abi::policy::POLICY_RULES_MAX;
use palisade_abi::verdict::Action;
use palisade_classify::{
    Row,
    blob::{BlobView, Fragment, Lookup, compile},
    generate::{Random, Shape, edge_rows, flows, moments, policy},
    table::{CompileError, Field, Limits},
};
use palisade_net::{AddressSet, Direction, Family, Flow, PortSet, Protocol, ProtocolMatch};

/// What the differential tests reached.
#[derive(Debug, Default)]
struct Reached {
    unmatched: usize,
    first_row: usize,
    last_row: usize,
    beyond_first_word: usize,
    families: BTreeSet<Family>,
    actions: BTreeSet<Action>,
    matched_protocols: BTreeSet<Protocol>,
    /// ICMP flows that a rule with types decided.
    by_type: usize,
    /// Flows that a rule with source ports decided.
    by_source_port: usize,
    /// Raw protocols that were not matched by a rule about ports, though all else fits.
    raw_beside_ports: usize,
    /// A row in audit matched first; the flow was decided by another one, or by none.
    shadowed: usize,
    shadowed_and_unmatched: usize,
    /// A row matched but for its window.
    before_window: usize,
    after_window: usize,
    /// The answer ends by itself.
    rechecks: usize,
    ends: usize,
}

impl Reached {
    fn note(&mut self, rows: &[Row], flow: &Flow, now: u32, answer: &Lookup) {
        self.note_time(rows, flow, now, answer);
        self.shadowed += usize::from(answer.shadow.is_some());
        let Some((index, _)) = answer.rule else {
            self.unmatched += 1;
            self.shadowed_and_unmatched += usize::from(answer.shadow.is_some());
            return;
        };
        let row = &rows[index];
        let protocol = flow.protocol();
        self.first_row += usize::from(index == 0);
        self.last_row += usize::from(index == rows.len() - 1);
        self.beyond_first_word += usize::from(index >= 64);
        self.families.insert(flow.family());
        self.actions.insert(row.action);
        self.matched_protocols.insert(protocol);
        self.by_type += usize::from(protocol.is_icmp() && !row.destination_ports.is_full());
        self.by_source_port += usize::from(!row.source_ports.is_full());
        let portless = !protocol.has_ports() && !protocol.is_icmp();
        let skipped = rows[..index].iter().any(|row| {
            let fits = row.sources.contains(flow.source()) && row.destinations.contains(flow.destination());
            fits && row.protocol == ProtocolMatch::Any
        });
        self.raw_beside_ports += usize::from(portless && skipped);
    }

    fn note_time(&mut self, rows: &[Row], flow: &Flow, now: u32, answer: &Lookup) {
        self.rechecks += usize::from(answer.recheck.is_some());
        self.ends += usize::from(answer.until.is_some());
        let last = answer.rule.map_or(rows.len(), |(rule, _)| rule);
        for row in rows[..last].iter().filter(|row| !row.matches(flow, now)) {
            let (first, end) = (row.window.not_before(), row.window.expires_at());
            let before = first.filter(|first| now < *first && row.matches(flow, *first));
            let after = end.filter(|end| now >= *end && row.matches(flow, end - 1));
            self.before_window += usize::from(before.is_some());
            self.after_window += usize::from(after.is_some());
        }
    }
}

/// What asking row after row gives.
fn naive(rows: &[Row], flow: &Flow, now: u32) -> Lookup {
    let matching = |audit| rows.iter().position(|row| row.audit == audit && row.matches(flow, now));
    let rule = matching(false);
    let shadow = matching(true).filter(|shadow| rule.is_none_or(|rule| *shadow < rule));
    let edges = rows.iter().flat_map(|row| [row.window.not_before(), row.window.expires_at()]);
    // What no clock reaches is as good as never.
    let reached = |edge: &u32| *edge != u32::MAX;
    let with_action = |rule: usize| (rule, rows[rule].action);
    Lookup {
        rule: rule.map(with_action),
        shadow: shadow.map(with_action),
        recheck: edges.flatten().filter(|edge| *edge > now).min().filter(reached),
        until: rule.and_then(|rule| rows[rule].window.expires_at()).filter(reached),
    }
}

/// Compares both for every flow, each at one of the moments at which rows change.
fn compare(rows: &[Row], flows: &[Flow], reached: &mut Reached) {
    let bytes = compile(rows, &Limits::default()).expect("the rows are within the limits");
    let blob = BlobView::parse(&bytes).expect("a compiled blob is sound");
    let moments = moments(rows);
    for (flow, &now) in flows.iter().zip(moments.iter().cycle()) {
        let answer = blob.lookup(flow, now);
        assert_eq!(answer, naive(rows, flow, now), "{} rows at {now}, {flow:?}", rows.len());
        reached.note(rows, flow, now, &answer);
    }
}

#[test]
fn edge_rows_are_answered_alike() {
    let mut reached = Reached::default();
    for (seed, &count) in (0u64..)
        .zip([1, 2, 3, 7, 16, 40, 63, 64, 65, 127, 128, 129, 500, 1_023, 1_024].iter().cycle())
        .take(60)
    {
        let rows = edge_rows(count, seed);
        compare(&rows, &flows(&rows, 2_000, !seed), &mut reached);
    }
    assert!(reached.unmatched > 1_000, "{reached:?}");
    assert!(reached.first_row > 1_000, "{reached:?}");
    assert!(reached.last_row > 50, "{reached:?}");
    assert!(reached.beyond_first_word > 1_000, "{reached:?}");
    assert!(reached.by_type > 100, "{reached:?}");
    assert!(reached.by_source_port > 1_000, "{reached:?}");
    assert!(reached.raw_beside_ports > 100, "{reached:?}");
    assert!(reached.shadowed > 1_000 && reached.shadowed_and_unmatched > 100, "{reached:?}");
    assert!(reached.before_window > 1_000 && reached.after_window > 1_000, "{reached:?}");
    assert!(reached.rechecks > 1_000 && reached.ends > 1_000, "{reached:?}");
    assert_eq!(reached.families.len(), 2);
    assert_eq!(reached.actions.len(), Action::ALL.len());
    for protocol in
        [Protocol::ICMP, Protocol::TCP, Protocol::UDP, Protocol::ESP, Protocol::AH, Protocol::ICMPV6]
    {
        assert!(reached.matched_protocols.contains(&protocol), "{protocol} of {reached:?}");
    }
    assert!(reached.matched_protocols.len() > 200, "raw numbers in {reached:?}");
}

#[test]
fn nsg_shaped_rows_are_answered_alike() {
    let mut reached = Reached::default();
    let with_source_ports = Shape { source_port_percent: 10, ..Shape::nsg_with_tags(200) };
    for (seed, shape) in
        [Shape::nsg(10), Shape::nsg(100), Shape::nsg_with_tags(100), with_source_ports, Shape::nsg(1_021)]
            .iter()
            .enumerate()
    {
        let rows = policy(shape, seed as u64);
        assert_eq!(rows.len(), shape.rules + 3);
        compare(&rows, &flows(&rows, 5_000, seed as u64), &mut reached);
    }
    assert_eq!(reached.unmatched, 0, "the last default rule matches everything");
    assert!(reached.last_row > 1_000 && reached.beyond_first_word > 1_000, "{reached:?}");
}

/// Flows that no packet parser makes, but that the type allows.
#[test]
fn ports_of_protocols_without_ports_are_answered_alike() {
    let mut reached = Reached::default();
    for (seed, count) in [(1, 6), (2, 20), (3, 70), (4, 200)] {
        let rows = edge_rows(count, seed);
        let mut random = Random::new(seed);
        let strange = |flow: &Flow| {
            let protocol = *random.pick(&[Protocol::ICMP, Protocol::ICMPV6, Protocol::ESP, Protocol(255)]);
            let ports = (random.port(), random.port());
            Flow::new(flow.direction(), protocol, (flow.source(), ports.0), (flow.destination(), ports.1))
                .expect("the addresses are those of a flow")
        };
        let flows: Vec<Flow> = flows(&rows, 5_000, seed).iter().map(strange).collect();
        compare(&rows, &flows, &mut reached);
    }
    assert!(reached.by_type > 100 && reached.unmatched > 100, "{reached:?}");
}

#[test]
fn every_row_that_matches_is_found() {
    for (seed, count) in [(1, 64), (2, 65), (3, 300), (4, 1_024)] {
        let rows = edge_rows(count, seed);
        let bytes = compile(&rows, &Limits::default()).expect("the rows are within the limits");
        let blob = BlobView::parse(&bytes).expect("a compiled blob is sound");
        let mut longest = 0;
        for flow in flows(&rows, 300, seed) {
            let naive: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].matches(&flow, 1_000)).collect();
            assert_eq!(blob.matches(&flow, 1_000).collect::<Vec<_>>(), naive, "{flow:?}");
            longest = longest.max(naive.len());
        }
        assert!(longest > 3, "no flow of {count} rows matched several");
    }
}

/// What the scan that ignores ports says: `BlobView::fragment` as it is defined.
fn scan(rows: &[Row], flow: &Flow, now: u32) -> Fragment {
    let mut answer = Fragment::Miss;
    for row in rows.iter().filter(|row| !row.audit && matches_somewhere(row, flow, now)) {
        let whole = row.source_ports.is_full() && row.destination_ports.is_full();
        match row.action {
            Action::AlwaysAllow => return Fragment::AlwaysAllow,
            Action::Allow => answer = Fragment::Allow,
            Action::Deny | Action::Closed => {}
        }
        if whole {
            return if answer == Fragment::Allow { answer } else { Fragment::Deny };
        }
    }
    answer
}

/// Whether a row matches at some pair of ports, by trying the ends of its ranges.
fn matches_somewhere(row: &Row, flow: &Flow, now: u32) -> bool {
    let firsts = |ports: &PortSet| ports.ranges().iter().map(|&(first, _)| first).collect::<Vec<_>>();
    let (from, to) = (firsts(&row.source_ports), firsts(&row.destination_ports));
    from.iter()
        .flat_map(|from| to.iter().map(move |to| (*from, *to)))
        .any(|ports| row.matches(&with_ports(flow, ports), now))
}

fn with_ports(flow: &Flow, (from, to): (u16, u16)) -> Flow {
    Flow::new(flow.direction(), flow.protocol(), (flow.source(), from), (flow.destination(), to))
        .expect("the addresses are those of a flow")
}

/// The answer for a fragment is what scanning the rows without ports gives, and wherever some pair of ports is allowed by
/// asking row after row, the fragment is.
#[test]
fn fragments_are_answered_as_all_their_ports_together() {
    let mut reached: BTreeMap<(Fragment, bool), usize> = BTreeMap::new();
    for (seed, count) in [(1, 1), (2, 3), (3, 9), (4, 30), (5, 70), (6, 200)].repeat(6) {
        let seed = seed + 10 * reached.len() as u64;
        let rows = edge_rows(count, seed);
        let bytes = compile(&rows, &Limits::default()).expect("the rows are within the limits");
        let blob = BlobView::parse(&bytes).expect("a compiled blob is sound");
        let edges = |ports: fn(&Row) -> &PortSet| {
            let edges = rows.iter().flat_map(|row| ports(row).ranges());
            let edges = edges.flat_map(|&(first, last)| [Some(first), last.checked_add(1)]).flatten();
            edges.chain([0]).collect::<BTreeSet<u16>>()
        };
        let [from, to] = [edges(|row| &row.source_ports), edges(|row| &row.destination_ports)];
        for (flow, &now) in flows(&rows, 12, seed).iter().zip(moments(&rows).iter().cycle()) {
            let answer = blob.fragment(flow.source(), flow.destination(), flow.protocol(), now);
            assert_eq!(answer, scan(&rows, flow, now), "{count} rows at {now}, {flow:?}");
            let some = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to))).any(|ports| {
                let decides =
                    rows.iter().find(|row| !row.audit && row.matches(&with_ports(flow, ports), now));
                decides.is_some_and(|row| matches!(row.action, Action::Allow | Action::AlwaysAllow))
            });
            let passes = matches!(answer, Fragment::Allow | Fragment::AlwaysAllow);
            assert!(passes || !some, "{count} rows at {now}, {flow:?}: {answer:?}");
            *reached.entry((answer, some)).or_default() += 1;
        }
    }
    for outcome in [
        (Fragment::Deny, false),
        (Fragment::Miss, false),
        (Fragment::Allow, true),
        (Fragment::AlwaysAllow, true),
    ] {
        assert!(reached.get(&outcome).is_some_and(|count| *count > 10), "{outcome:?}: {reached:?}");
    }
}

fn row(protocol: ProtocolMatch, destination_ports: PortSet) -> Row {
    Row { protocol, destination_ports, ..Row::any(Action::Allow) }
}

fn flow(protocol: Protocol, port: u16) -> Flow {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    Flow::new(Direction::Inbound, protocol, (address("192.0.2.1"), 0), (address("192.0.2.2"), port))
        .expect("one family")
}

#[test]
fn no_rows_match_nothing() {
    let mut reached = Reached::default();
    compare(&[], &flows(&[], 1_000, 1), &mut reached);
    assert_eq!(reached.unmatched, 1_000);
}

#[test]
fn a_rule_for_all_protocols_with_a_port_is_not_about_icmp_types() {
    let rows = [row(ProtocolMatch::Any, [(8, 8)].into_iter().collect())];
    let bytes = compile(&rows, &Limits::default()).expect("one row");
    let blob = BlobView::parse(&bytes).expect("a compiled blob is sound");
    assert_eq!(blob.lookup(&flow(Protocol::ICMP, 8), 0).rule, None);
    assert_eq!(blob.lookup(&flow(Protocol::UDP, 8), 0).rule, Some((0, Action::Allow)));
}

#[test]
fn rows_at_the_limit_compile_and_one_more_is_refused() {
    let rows = vec![row(ProtocolMatch::TCP, PortSet::full()); POLICY_RULES_MAX + 1];
    assert!(compile(&rows[1..], &Limits::default()).is_ok());
    let refused = compile(&rows, &Limits::default());
    let error = refused.expect_err("one row too many");
    assert_eq!(error, CompileError::Rows { rows: 1_025, max: 1_024 });
    assert_eq!(
        error.to_string(),
        "1025 rules in one direction, at most 1024 can be enforced (remove or merge rules)"
    );
}

/// Limits at exactly what the rows need pass; one less is refused by name.
#[test]
fn each_limit_holds_at_its_edge() {
    let sources = |first: u32, last: u32| {
        let v4 = [(first, last)].into_iter().collect();
        Row {
            sources: AddressSet::from_ranges(v4, Default::default()),
            ..row(ProtocolMatch::TCP, PortSet::full())
        }
    };
    let rows = [sources(10, 20), sources(15, 30)];
    let check = |limits: Limits, expected: Result<(), CompileError>| {
        assert_eq!(compile(&rows, &limits).map(drop), expected);
    };
    // 0-9, 10-14, 15-20, 21-30, 31-: five intervals of four classes.
    let intervals = |intervals| Limits { intervals, ..Limits::default() };
    check(intervals(5), Ok(()));
    check(intervals(4), Err(CompileError::Intervals { field: Field::SourceV4, intervals: 5, max: 4 }));
    let classes = |classes| Limits { classes, ..Limits::default() };
    check(classes(4), Ok(()));
    check(classes(3), Err(CompileError::Classes { field: Field::SourceV4, intervals: 5, max: 3 }));
    let size = compile(&rows, &Limits::default()).expect("within the limits").len();
    let bytes = |bytes| Limits { bytes, ..Limits::default() };
    check(bytes(size), Ok(()));
    check(bytes(size - 1), Err(CompileError::Bytes { bytes: size, max: size - 1 }));
}

/// A caller cannot ask for more than the layout holds.
#[test]
fn limits_above_the_layout_are_the_layout() {
    let rows = vec![row(ProtocolMatch::TCP, PortSet::full()); POLICY_RULES_MAX + 1];
    let limits = Limits { rows: usize::MAX, classes: usize::MAX, intervals: usize::MAX, bytes: usize::MAX };
    assert_eq!(compile(&rows, &limits), Err(CompileError::Rows { rows: 1_025, max: 1_024 }));
}

#[test]
fn error_texts_name_value_limit_and_remedy() {
    let texts = [
        CompileError::Intervals { field: Field::DestinationV6, intervals: 9, max: 8 },
        CompileError::Classes { field: Field::Protocol, intervals: 9, max: 8 },
        CompileError::Bytes { bytes: 9, max: 8 },
    ]
    .map(|error| error.to_string());
    for text in &texts {
        assert!(text.contains(" 9 ") && text.contains(" 8 ") && text.ends_with(')'), "{text}");
        assert!(!text.contains("  "), "{text}");
    }
    assert!(texts[0].starts_with("IPv6 destination addresses of all rules"), "{}", texts[0]);
}

#[test]
fn equal_rows_give_equal_bytes() {
    for seed in 0..5 {
        let rows = policy(&Shape::nsg_with_tags(50), seed);
        let again = policy(&Shape::nsg_with_tags(50), seed);
        assert_eq!(rows, again, "the generator repeats itself");
        let bytes = |rows: &[Row]| compile(rows, &Limits::default()).expect("within the limits");
        assert_eq!(bytes(&rows), bytes(&again));
        assert_ne!(bytes(&rows), bytes(&policy(&Shape::nsg_with_tags(50), seed + 1)));
    }
}

#[test]
fn generated_flows_repeat_and_use_both_families() {
    let rows = edge_rows(30, 9);
    let made = flows(&rows, 500, 9);
    assert_eq!(made, flows(&rows, 500, 9));
    for family in Family::ALL {
        assert!(made.iter().filter(|flow| flow.family() == family).count() > 100, "{family:?}");
    }
}

/// Small policies must stay small: a host holds one blob for each NSG and direction.
#[test]
fn blobs_are_as_small_as_their_rules() {
    for (rules, most) in [(0, 3 << 10), (10, 12 << 10), (100, 64 << 10), (1_000, 1 << 20)] {
        let size =
            compile(&policy(&Shape::nsg(rules), 1), &Limits::default()).expect("within the limits").len();
        assert!(size <= most, "{rules} rules take {size} bytes, more than {most}");
    }
}
