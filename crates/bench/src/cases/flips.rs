//! The policy changes twenty times a second, and every packet must be judged by one that was in force.
//!
//! Two policies take turns. Both allow one port and deny another; of two more, one is open under each. A question
//! counts if the number of the policy in force is the same before it and after its answer, so there is one right
//! answer. Flows that both policies allow go on all the while and may not lose a packet.

use std::{
    fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use palisade_net::{Family, PortRange, Protocol};

use super::Run;
use crate::{
    error::{Context, Error, Result},
    fence::{Fence, Firewall, Rules},
    load::datagrams::{Asker, Echo},
    ours::Ours,
    policy::Policy,
    report::Case,
    rules::{self, Place, Rule, RuleSet, clients, machine},
    site::{Site, client},
};

/// Time between two changes.
const PERIOD: Duration = Duration::from_millis(50);
/// The first ports of the flows that go on, and of the others.
const GOING_ON: u16 = 2_000;
const ASKING: u16 = 3_000;
/// How long the answer to a question may take that is rightly allowed: it comes in a tenth of a millisecond.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long one is waited for that must not come.
const DENIED_PATIENCE: Duration = Duration::from_millis(2);
/// Rules beside those of the questions.
const LINES: usize = 500;
const SEED: u64 = 7;

const ALLOWED: u16 = 1_001;
const DENIED: u16 = 1_002;
/// Open under the first policy, and under the second.
const TURNS: [u16; 2] = [1_003, 1_004];

/// What was seen.
#[derive(Default)]
struct Seen {
    questions: u64,
    wrong: u64,
    lost: u64,
}

/// Measures.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    let duration = Duration::from_secs(run.choose(60, 7));
    run.tell(&format!("flips: {} s", duration.as_secs()));
    let first = Rules::of(policy(0))?;
    let second = Policy::of(&policy(1))?;
    let mut fence = Fence::build(Firewall::Ours, &first, Site::build(1)?)?;
    let ports = [ALLOWED, DENIED, TURNS[0], TURNS[1]];
    let _echo = Echo::start(&fence.site().machine(0), &ports.map(at))?;
    let (inside, interfaces) = (fence.site().clients(), fence.site().to_machines().to_vec());
    let over = AtomicBool::new(false);
    let ours = fence.ours().expect("the datapath stands here");
    let (clock, before) = (ours.clock()?, memory(ours.blobs().1));
    let first_number = clock.now();
    let (changes, going, asking) = thread::scope(|scope| {
        let going = scope.spawn(|| inside.enter(|| go_on(&over)));
        let asking = scope.spawn(|| inside.enter(|| ask(&over, || (clock.now() - first_number) as usize)));
        let changes = change(ours, &interfaces, [&first.policy, &second], duration);
        over.store(true, Ordering::Relaxed);
        let [going, asking] = [going, asking].map(|thread| thread.join().expect("the thread only asks"));
        let doing = || "send datagrams".to_owned();
        Ok::<_, Error>((changes?, going?.context(doing)?, asking?.context(doing)?))
    })?;
    let growth = memory(ours.blobs().1).saturating_sub(before);
    let case = |name, count: u64, unit| {
        Case::new(name, count as f64, unit)
            .with("changes", changes)
            .with("seconds", duration.as_secs())
            .with("questions", asking.questions)
            .with("exchanges of allowed flows", going.questions)
    };
    run.add([
        case("flips/wrong verdicts", asking.wrong, "packets").at_most(0.0),
        case("flips/lost packets of allowed flows", going.lost, "packets").at_most(0.0),
        case("flips/memory growth", growth / 1024, "KiB").at_most(1_024.0),
    ]);
    Ok(())
}

/// Lets the policies take turns, and says how often. A change that takes long does not delay those after it.
fn change(ours: &mut Ours, interfaces: &[u32], policies: [&Policy; 2], duration: Duration) -> Result<u32> {
    let start = Instant::now();
    let mut changes = 0_u32;
    while start.elapsed() < duration {
        thread::sleep((PERIOD * (changes + 1)).saturating_sub(start.elapsed()));
        changes += 1;
        ours.publish(interfaces, policies[changes as usize % 2].blobs())?;
    }
    Ok(changes)
}

/// The policy of a turn.
fn policy(turn: usize) -> RuleSet {
    let mut set = rules::generate(Family::V4, LINES, Place::Last, SEED);
    let rule = |port, allows| Rule {
        protocol: Protocol::UDP,
        sources: vec![clients(Family::V4)],
        ports: PortRange::new(port, port).expect("one port is a range"),
        allows,
    };
    set.rules.extend([rule(ALLOWED, true), rule(DENIED, false), rule(TURNS[turn], true)]);
    set
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::new(machine(Family::V4), port)
}

/// Flows that every policy allows: each asks as fast as it is answered.
fn go_on(over: &AtomicBool) -> std::io::Result<Seen> {
    let mut seen = Seen::default();
    let mut flows = Vec::new();
    for number in 0..8 {
        flows.push(Asker::new(SocketAddr::new(client(Family::V4), GOING_ON + number), at(ALLOWED))?);
    }
    while !over.load(Ordering::Relaxed) {
        for flow in &mut flows {
            seen.questions += 1;
            seen.lost += u64::from(!flow.ask(PATIENCE)?);
        }
    }
    Ok(seen)
}

/// New flows, each with one right answer. `changes` counts how often the policy has changed.
fn ask(over: &AtomicBool, changes: impl Fn() -> usize) -> std::io::Result<Seen> {
    let mut seen = Seen::default();
    // Each has a port of its own: a flow of an earlier question may still be known, and would rightly go on.
    let questions = (ASKING..).zip([TURNS[0], ALLOWED, TURNS[1], DENIED].into_iter().cycle());
    for (from, port) in questions {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let mut flow = Asker::new(SocketAddr::new(client(Family::V4), from), at(port))?;
        let before = changes();
        let is_open = port == ALLOWED || port == TURNS[before % 2];
        let answered = flow.ask(if is_open { PATIENCE } else { DENIED_PATIENCE })?;
        if changes() == before {
            seen.questions += 1;
            seen.wrong += u64::from(answered != is_open);
        }
    }
    Ok(seen)
}

/// Bytes of rule lists in the kernel, and of this process.
fn memory(blobs: usize) -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    blobs as u64 + pages * 4096
}
