//! The tour and the matrix, with nftables in the machines' own namespaces playing the enforcer, and the guard.
//!
//! It shows that the stories hold under the policy that they tell of, and that neither the tour nor the matrix says so
//! when nothing is enforced.

use std::fs;
use std::net::IpAddr;

use palisade_lab::Lab;
use palisade_lab::estate::Situation;
use palisade_lab::guard::{Alert, Event, ForensicPath, Guard};
use palisade_lab::hosts::{HOSTS, Host};
use palisade_lab::matrix::{Matrix, all_probes};
use palisade_lab::netns::ip::load_nft;
use palisade_lab::policy::{Enforcer, EstateFiles, Prediction, Predictor};
use palisade_lab::probe::{Outcome, PATIENCE};
use palisade_lab::show::{enforce_and_observe, hints};
use palisade_lab::tour::tell;
use palisade_net::{Direction, Flow};

use crate::{filter_at_web1, lab_or_skip};

fn situation(files: &EstateFiles) -> Situation {
    let text = fs::read_to_string(&files.parameters).expect("the parameters are on disk");
    Situation::ALL.into_iter().find(|known| known.parameters() == text).expect("a known situation")
}

/// The template's rules, written again in the words of nftables, and a guard that sees what the story says.
struct Nftables<'a> {
    lab: &'a Lab,
    generation: u64,
    locked_out: Vec<IpAddr>,
    forensic: Vec<ForensicPath>,
    seen: Vec<String>,
}

impl<'a> Nftables<'a> {
    fn new(lab: &'a Lab) -> Self {
        Self { lab, generation: 0, locked_out: Vec::new(), forensic: Vec::new(), seen: Vec::new() }
    }

    /// Puts a chain before all others of the web server.
    fn put_first(&self, inbound: &str, outbound: &str) {
        let rules = format!(
            "table inet first {{}}
            delete table inet first
            table inet first {{
                chain inbound {{ type filter hook input priority -10; policy accept;\n{inbound}\n }}
                chain outbound {{ type filter hook output priority -10; policy accept;\n{outbound}\n }}
            }}\n"
        );
        load_nft(&self.lab.of(self.lab.host("web1").expect("listed")), &rules).expect("nft takes them");
    }

    fn lock(&self) {
        let drop = |source: &IpAddr| format!("{} saddr {source} drop\n", keyword(*source));
        self.put_first(&self.locked_out.iter().map(drop).collect::<String>(), "");
    }

    fn isolate(&self) {
        let path = |path: &ForensicPath| {
            format!("{} saddr {} tcp dport {} accept\n", keyword(path.source), path.source, path.port)
        };
        let paths: String = self.forensic.iter().map(path).collect();
        self.put_first(
            &format!("{NEIGHBOURS}\n{paths}drop"),
            &format!("{NEIGHBOURS}\ntcp sport 22 ct state established accept\ndrop"),
        );
    }
}

fn keyword(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

impl Guard for Nftables<'_> {
    fn alert(&mut self, name: &str, _: IpAddr) -> anyhow::Result<Option<Alert>> {
        self.seen.push(format!("{name}: told"));
        if name == "PortScanning" && !self.forensic.is_empty() {
            self.isolate();
            self.seen.push("system did quarantine".into());
        }
        let severity = if name.ends_with("Success") { "Critical" } else { "Medium" };
        Ok(Some(Alert { severity: severity.into(), evidence: "as the story says".into() }))
    }

    fn lock_out(&mut self, source: IpAddr) -> anyhow::Result<()> {
        self.locked_out.push(source);
        self.lock();
        Ok(())
    }

    fn isolate_scanners(&mut self, forensic: &[ForensicPath]) -> anyhow::Result<()> {
        self.forensic = forensic.to_vec();
        Ok(())
    }

    fn release(&mut self) -> anyhow::Result<()> {
        self.lock();
        Ok(())
    }

    fn timeline(&mut self, _: &str) -> anyhow::Result<Vec<Event>> {
        let event =
            |seen: &String| Event { time: "then".into(), what: "alert".into(), summary: seen.clone() };
        Ok(self.seen.iter().map(event).collect())
    }
}

impl Enforcer for Nftables<'_> {
    fn enforce(&mut self, files: &EstateFiles) -> anyhow::Result<u64> {
        for host in HOSTS.iter().filter(|host| host.machine.is_some()) {
            load_nft(&self.lab.of(host), &ruleset(host, situation(files)))?;
        }
        self.generation += 1;
        Ok(self.generation)
    }
}

fn ruleset(host: &Host, situation: Situation) -> String {
    let inbound = match (host.machine.expect("a machine").subnet.name, situation) {
        ("web", Situation::RdpOpen) => "tcp dport { 80, 443, 3389 } accept".to_owned(),
        ("web", Situation::RdpFromOffice) => {
            format!("{}\n{}", from_office(3389), "tcp dport { 80, 443 } accept")
        }
        ("web", _) => "tcp dport { 80, 443 } accept".to_owned(),
        ("db", _) => "ip saddr 10.20.1.0/24 tcp dport { 1433, 5432 } accept
            ip6 saddr fd00:20:0:1::/64 tcp dport { 1433, 5432 } accept"
            .to_owned(),
        _ => from_office(22),
    };
    let outbound = match situation {
        Situation::DenyInternet => DENY,
        Situation::DenyInternetExceptUpdates => EXCEPT_UPDATES,
        _ => "",
    };
    format!(
        "table inet played {{}}
        delete table inet played
        table inet played {{
            chain inbound {{
                type filter hook input priority 0; policy drop;
                ct state established accept
                {NEIGHBOURS}
                ip saddr 10.20.3.4 tcp dport 22 accept
                ip6 saddr fd00:20:0:3::4 tcp dport 22 accept
                {inbound}
            }}
            chain outbound {{
                type filter hook output priority 0; policy accept;
                ct state established accept
                {outbound}
            }}
        }}\n"
    )
}

fn from_office(port: u16) -> String {
    format!("ip saddr 198.51.100.40 tcp dport {port} accept\nip6 saddr 2e00:100::40 tcp dport {port} accept")
}

const NEIGHBOURS: &str =
    "meta l4proto ipv6-icmp icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept";
const DENY: &str = "ip daddr != 10.20.0.0/16 drop\nip6 daddr 2000::/3 drop";
const EXCEPT_UPDATES: &str = "ip daddr 13.95.26.4 tcp dport 443 accept
    ip6 daddr 2603:1020:200::682f:a455 tcp dport 443 accept
    ip daddr != 10.20.0.0/16 drop
    ip6 daddr 2000::/3 drop";

/// Puts nothing in force.
struct Nobody;

impl Enforcer for Nobody {
    fn enforce(&mut self, _: &EstateFiles) -> anyhow::Result<u64> {
        Ok(0)
    }
}

/// Nor does it see anything.
impl Guard for Nobody {
    fn alert(&mut self, _: &str, _: IpAddr) -> anyhow::Result<Option<Alert>> {
        Ok(None)
    }

    fn lock_out(&mut self, _: IpAddr) -> anyhow::Result<()> {
        Ok(())
    }

    fn isolate_scanners(&mut self, _: &[ForensicPath]) -> anyhow::Result<()> {
        Ok(())
    }

    fn release(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn timeline(&mut self, _: &str) -> anyhow::Result<Vec<Event>> {
        Ok(Vec::new())
    }
}

/// Says that everything is allowed except SSH into one NIC.
struct Optimist {
    except: &'static str,
}

impl Predictor for Optimist {
    fn load(&mut self, _: &EstateFiles) -> anyhow::Result<()> {
        Ok(())
    }

    fn predict(&mut self, nic: &str, flow: &Flow) -> anyhow::Result<Prediction> {
        let is_denied =
            nic == self.except && flow.direction() == Direction::Inbound && flow.destination_port() == 22;
        Ok(Prediction { is_allowed: !is_denied, rule: "test/rule".into() })
    }
}

#[test]
fn the_stories_hold_under_the_policy_they_tell_of() {
    let Some(lab) = lab_or_skip() else { return };
    let _servers = lab.serve().expect("servers start");
    let mut story = Vec::new();
    let mut enforcer = Nftables::new(&lab);
    let report = tell(&lab, &mut enforcer, None, &mut story).expect("the tour runs");
    let story = String::from_utf8(story).expect("the story is text");
    println!("{story}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.held > 60, "{report:?}");
    assert!(!report.is_cut_short);
    assert_eq!(enforcer.generation, 7, "one generation per scene");
}

#[test]
fn the_stories_do_not_hold_when_nothing_is_enforced() {
    let Some(lab) = lab_or_skip() else { return };
    let _servers = lab.serve().expect("servers start");
    let report = tell(&lab, &mut Nobody, None, &mut std::io::sink()).expect("the tour runs");
    assert!(report.failures.len() > 30, "{report:#?}");
    for claim in [
        "alert tells of the guesses",
        "silent to it",
        "gravest of alerts",
        "isolated",
        "stand in their order",
    ] {
        assert!(report.failures.iter().any(|failure| failure.contains(claim)), "{claim}: {report:#?}");
    }
}

#[test]
fn the_matrix_marks_every_cell_in_which_packets_and_policy_disagree() {
    let Some(lab) = lab_or_skip() else { return };
    let _servers = lab.serve().expect("servers start");
    filter_at_web1(&lab, "tcp dport { 22, 80 } drop");
    let files = EstateFiles::write(&lab.stage().folder(), Situation::Default).expect("files are written");
    let mut predictor = Optimist { except: "web1-nic" };
    let matrix = enforce_and_observe(&lab, &files, &mut Nobody, &mut predictor).expect("probing works");

    let expected = all_probes().iter().filter(|p| p.to.name == "web1" && p.service.name == "http").count();
    let wrong: Vec<_> = matrix.mismatches().collect();
    assert_eq!(wrong.len(), expected, "ssh is silent as predicted, http is silent against the prediction");
    assert!(wrong.iter().all(|cell| cell.probe.service.name == "http" && cell.observed == Outcome::Silence));
    let table = matrix.render();
    assert!(table.contains("attacker  web1       ++    ..    ++    !!    ++"), "{table}");
    assert!(
        table.contains("! attacker -> web1 http over IPv6: silence, but test/rule decides otherwise"),
        "{table}"
    );
    assert_eq!(matrix.to_json()["mismatches"], expected);
    assert!(hints(lab.stage().name(), &files, "palisade").contains(lab.stage().namespace("web1").name()));
}

#[test]
fn both_sides_of_a_connection_are_asked_with_private_addresses() {
    let probe = |from: &str, to: &str| {
        let found = all_probes().into_iter().find(|p| p.from.name == from && p.to.name == to);
        found.expect("a pair of the lab").flows()
    };
    let [(sender, outbound), (receiver, inbound)] = probe("web1", "db1")[..] else {
        panic!("two NICs are on the way")
    };
    assert_eq!((sender, outbound.direction()), ("web1-nic", Direction::Outbound));
    assert_eq!((receiver, inbound.direction()), ("db1-nic", Direction::Inbound));
    assert_eq!((outbound.source(), outbound.destination()), (inbound.source(), inbound.destination()));
    let [("web1-nic", inbound)] = probe("attacker", "web1")[..] else { panic!("one NIC is on the way") };
    assert_eq!(inbound.destination().to_string(), "10.20.1.4");
    assert_eq!(inbound.source().to_string(), "198.51.100.66");
    let [("db1-nic", outbound)] = probe("db1", "update")[..] else { panic!("one NIC is on the way") };
    assert_eq!(outbound.source().to_string(), "10.20.2.4");
}

#[test]
fn some_of_the_questions_can_be_asked_alone() {
    let Some(lab) = lab_or_skip() else { return };
    let _servers = lab.serve().expect("servers start");
    let probes: Vec<_> = all_probes().into_iter().filter(|probe| probe.service.name == "ping").collect();
    let matrix = Matrix::observe_probes(&lab, &probes, None, PATIENCE).expect("probing works");
    assert_eq!(matrix.cells().len(), probes.len());
    assert_eq!(matrix.mismatches().count(), 0, "nobody predicted anything");
}
