//! nmap from the peer: ports that rules allow are open or closed, all others are silent, whatever the probe looks like.

use std::{collections::BTreeMap, net::IpAddr, thread};

use palisade_abi::{flow::Direction, verdict::Reason};

use crate::{
    scene::{CLOSED, Host, Scene, VM},
    tool,
    traffic::Echo,
};

/// Silence is waited for as briefly as a busy machine allows.
const PACE: &[&str] = &[
    "-n",
    "-Pn",
    "--max-retries",
    "2",
    "--initial-rtt-timeout",
    "150ms",
    "--max-rtt-timeout",
    "400ms",
    "-oG",
    "-",
];
/// What the machine lets in: ports 8080 and 54 are allowed, and nobody listens there.
const DOORS: &[&str] = &[
    "allow tcp * * 80",
    "allow tcp * * 443",
    "allow tcp * * 8080",
    "allow udp * * 53",
    "allow udp * * 54",
    "allow 47 * * *",
    "deny * * * *",
];
const TCP_PORTS: &str = "22,80,443,8080";
const UDP_PORTS: &str = "53,54,123";

/// A machine with servers behind doors that are open and behind others.
struct Target {
    scene: Scene,
    _servers: [Echo; 2],
}

impl Target {
    fn open() -> Option<Self> {
        if !tool::are_here(&[("nmap", "nmap")]) {
            return None;
        }
        let mut scene = Scene::open(Host::Bridge)?;
        scene.publish(DOORS, CLOSED);
        let servers = [Echo::tcp(&scene.vm, &[22, 80, 443]), Echo::udp(&scene.vm, &[53, 123])];
        Some(Self { scene, _servers: servers })
    }

    /// What nmap calls each port.
    fn scan(&self, address: IpAddr, arguments: &str) -> String {
        let mut command = self.scene.peer.command("nmap");
        if address.is_ipv6() {
            command.arg("-6");
        }
        command.args(PACE).args(arguments.split(' ')).arg(address.to_string());
        states(&tool::run(&mut command).out)
    }

    /// Scans with each of these arguments over these addresses at once, and compares.
    fn expect(&self, addresses: &[IpAddr], cases: &[(&str, &str)]) {
        thread::scope(|scope| {
            let runs: Vec<_> = cases
                .iter()
                .flat_map(|case| addresses.iter().map(move |address| (*address, *case)))
                .map(|(address, (arguments, expected))| {
                    (address, arguments, expected, scope.spawn(move || self.scan(address, arguments)))
                })
                .collect();
            for (address, arguments, expected, run) in runs {
                assert_eq!(run.join().expect("nmap ran"), expected, "{arguments} {address}");
            }
        });
    }

    /// Packets to the machine that rules or flows let pass.
    fn passed(&self) -> u64 {
        let counters = self.scene.counters().inbound;
        counters.packets() - counters.reasons.get(&Reason::LinkControl).copied().unwrap_or(0)
    }
}

/// `22 filtered, 80 open`, from nmap's grepable output, whose third field of a port is the protocol.
fn states(output: &str) -> String {
    let list = ["Ports: ", "Protocols: "].iter().find_map(|word| Some(output.split_once(word)?.1));
    let list = list.unwrap_or_else(|| panic!("no ports in {output}"));
    let list = list.split(['\t', '\n']).next().expect("split gives something");
    let ports: BTreeMap<u16, &str> = list
        .split(", ")
        .map(|port| {
            let mut fields = port.split('/');
            let number = fields.next().and_then(|number| number.trim().parse().ok());
            (number.unwrap_or_else(|| panic!("no port: {port}")), fields.next().expect("a state"))
        })
        .collect();
    ports.iter().map(|(port, state)| format!("{port} {state}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn only_allowed_ports_are_seen() {
    let Some(target) = Target::open() else { return };
    let tcp = "22 filtered, 80 open, 443 open, 8080 closed";
    target.expect(
        &VM.addresses(),
        &[
            (&format!("-sS -p {TCP_PORTS}"), tcp),
            (&format!("-sT -p {TCP_PORTS}"), tcp),
            (&format!("-sU -p {UDP_PORTS}"), "53 open, 54 closed, 123 open|filtered"),
            // GRE is let in, and the machine says that it does not speak it.
            ("-sO -p 47,50,132", "47 closed, 50 open|filtered, 132 open|filtered"),
        ],
    );
    let counters = target.scene.counters();
    // Nothing may leave the machine but answers, and errors about what came in.
    assert_eq!(counters.outbound.dropped(), 0, "{counters:?}");
    assert!(counters.outbound.reasons[&Reason::Related] > 0, "{counters:?}");
    assert_eq!(counters.inbound.dropped(), counters.inbound.reasons[&Reason::SubnetDeny], "{counters:?}");
}

#[test]
fn nothing_answers_probes_that_begin_no_connection() {
    let Some(mut target) = Target::open() else { return };
    let before = target.passed();
    let ports = "-p 22,80,8080";
    let [silent, filtered] =
        ["open|filtered", "filtered"].map(|state| format!("22 {state}, 80 {state}, 8080 {state}"));
    let quiet = ["-sF", "-sN", "-sX", "-sM", "--scanflags SYNFIN -sS"].map(|kind| format!("{kind} {ports}"));
    let [ack, window] = ["-sA", "-sW"].map(|kind| format!("{kind} {ports}"));
    let [fin, null, christmas, maimon, syn_fin] = quiet.each_ref().map(String::as_str);
    let cases =
        [(fin, &silent), (null, &silent), (christmas, &silent), (maimon, &silent), (syn_fin, &filtered)];
    let cases = cases.into_iter().chain([(ack.as_str(), &filtered), (window.as_str(), &filtered)]);
    target.expect(&VM.addresses(), &cases.map(|(kind, state)| (kind, state.as_str())).collect::<Vec<_>>());
    assert_eq!(target.passed(), before);
    let counters = target.scene.counters();
    assert!(counters.inbound.reasons[&Reason::MidStream] >= 7 * 2 * 3, "{counters:?}");
    assert_eq!((counters.flows, counters.flows_created), (0, 0));

    // Where TCP state is not tracked the rules alone decide, and the machine answers.
    target.scene.publish_with(DOORS, CLOSED, |nic| nic.loose_tcp = true);
    target.expect(&VM.addresses(), &[(ack.as_str(), "22 filtered, 80 unfiltered, 8080 unfiltered")]);
}

#[test]
fn pieces_and_broken_sums_open_nothing() {
    let Some(target) = Target::open() else { return };
    let all_filtered = "22 filtered, 80 filtered, 443 filtered, 8080 filtered";
    let [v4, _] = VM.addresses();
    // Headers in pieces of 8 and 16 bytes: ports without flags, and flags without ports (RFC 1858, RFC 3128).
    let pieces = ["-f", "-f -f"].map(|size| format!("-sS {size} -p {TCP_PORTS}"));
    target.expect(&[v4], &pieces.each_ref().map(|kind| (kind.as_str(), all_filtered)));
    let malformed = target.scene.counted(Direction::Inbound, Reason::Malformed);
    assert!(malformed >= 2 * 4 * 3, "{malformed}");
    // A datagram whose ports are in its first piece is judged by them.
    target.expect(&[v4], &[("-sU -f --data-length 64 -p 53,123", "53 open, 123 open|filtered")]);
    assert!(target.scene.counted(Direction::Inbound, Reason::LaterFragment) > 0);
    // Sums are the receiver's business: such a SYN may begin a flow, and the machine takes no notice. Over IPv6 nmap would
    // ask for the machine's hardware address with a wrong sum too.
    target.expect(&[v4], &[(&format!("-sS --badsum -p {TCP_PORTS}"), all_filtered)]);
    assert!(target.scene.counters().half_open > 0);
}
