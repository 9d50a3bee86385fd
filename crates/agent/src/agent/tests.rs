//! The agent on a datapath that is only memory.

mod flows;

use std::fs;
use std::path::PathBuf;

use palisade_datapath::{Attachment, NicKind, Simulator, Watch};

use super::*;
use crate::clock;
use crate::interfaces::{Link, LinkKind};
use crate::load::EstateSources;
use crate::status::status;

/// A host with an agent, and the folder that stands for its disk.
struct Host {
    dir: tempfile::TempDir,
    links: Vec<Link>,
    agent: Agent<Simulator>,
    clock: u64,
}

fn instance(dir: &tempfile::TempDir) -> Instance {
    Instance { pin_dir: dir.path().join("pins"), state_dir: dir.path().join("state") }
}

fn start(dir: &tempfile::TempDir, plane: Simulator, clock: u64) -> Agent<Simulator> {
    let sources = EstateSources { paths: vec![dir.path().join("estate.json")], ..EstateSources::default() };
    Agent::start(instance(dir), sources, Limits::default(), clock, |_| Ok(plane)).unwrap()
}

/// An estate: names of NICs, and the port that their subnet's NSG lets in.
fn estate(nics: &[&str], port: &str) -> String {
    let nic = |name: &&str| {
        format!(
            r#"{{ "type": "Microsoft.Network/networkInterfaces", "apiVersion": "2023-09-01", "name": "{name}",
                 "properties": {{ "ipConfigurations": [{{ "name": "one", "properties": {{
                     "privateIPAddress": "10.0.0.4", "privateIPAllocationMethod": "Static",
                     "subnet": {{ "id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'web')]" }}
                 }} }}] }} }}"#
        )
    };
    let nics: Vec<_> = nics.iter().map(nic).collect();
    format!(
        r#"{{ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
             "contentVersion": "1.0.0.0", "resources": [
             {{ "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2023-09-01", "name": "web-nsg",
                "properties": {{ "securityRules": [{{ "name": "allow", "properties": {{
                    "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
                    "sourceAddressPrefix": "*", "sourcePortRange": "*",
                    "destinationAddressPrefix": "*", "destinationPortRange": "{port}" }} }}] }} }},
             {{ "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2023-09-01", "name": "net",
                "properties": {{ "addressSpace": {{ "addressPrefixes": ["10.0.0.0/16"] }}, "subnets": [
                    {{ "name": "web", "properties": {{ "addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {{
                        "id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'web-nsg')]" }} }} }}] }} }},
             {} ] }}"#,
        nics.join(",")
    )
}

impl Host {
    fn new(estate: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("estate.json"), estate).unwrap();
        let agent = start(&dir, Simulator::new(), 1000);
        let mut host = Self { dir, links: Vec::new(), agent, clock: 1000 };
        host.agent.load(1000).unwrap();
        host
    }

    /// Replaces the estate, lets the agent read it and look.
    fn change(&mut self, estate: &str) -> Vec<String> {
        fs::write(self.dir.path().join("estate.json"), estate).unwrap();
        self.clock += 1;
        self.agent.load(self.clock).unwrap();
        self.sync()
    }

    /// Replaces the interfaces and lets the agent look.
    fn show(&mut self, links: &[Link]) -> Vec<String> {
        self.links = links.to_vec();
        self.sync()
    }

    fn look(&self) -> Inventory {
        Inventory { links: self.links.clone(), bypasses: Vec::new() }
    }

    fn sync(&mut self) -> Vec<String> {
        self.agent.sync(&self.look(), self.clock).unwrap();
        self.agent.take_events().iter().map(ToString::to_string).collect()
    }

    /// Kills the agent and starts another one.
    fn restart(mut self, estate: Option<&str>) -> Self {
        if let Some(estate) = estate {
            fs::write(self.dir.path().join("estate.json"), estate).unwrap();
        }
        let plane = self.agent.into_plane();
        self.clock += 100;
        self.agent = start(&self.dir, plane, self.clock);
        self
    }

    fn attached(&self) -> Vec<u32> {
        self.agent.plane().attached().unwrap().iter().map(|found| found.ifindex).collect()
    }

    /// Interface and slot of the NICs in force.
    fn in_force(&self) -> Vec<(u32, u32)> {
        self.agent.plane().nics().iter().map(|nic| (nic.ifindex, nic.slot)).collect()
    }

    fn generation(&self) -> u64 {
        self.agent.plane().generation()
    }
}

#[test]
fn an_interface_is_attached_once_its_policy_is_published() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    assert_eq!(
        host.show(&[Link::tap(7, "a"), Link::tap(9, "unknown")]),
        [
            "accepted an estate (NICs: 2)",
            "generation 1 is in force (interfaces: 1)",
            "attach to tap7 (interface 7)"
        ]
    );
    assert_eq!((host.attached(), host.in_force()), (vec![7], vec![(7, 1)]));
    assert_eq!(host.agent.state().elsewhere.len(), 1);
    let (named, rules) = host.agent.book().find(1, 1).unwrap();
    assert_eq!((named.name.as_str(), named.interface.as_str()), ("a", "tap7"));
    let list = rules.unwrap().lists(palisade_abi::flow::Direction::Inbound)[1].as_ref().unwrap();
    assert_eq!(list.rows[0], "securityRules/allow");
    let nic = host.agent.state().nics.values().next().unwrap().clone();
    assert_eq!(
        (nic.interface.as_str(), nic.subnet_nsg.as_deref(), nic.nic_nsg),
        ("tap7", Some("web-nsg"), None)
    );
    assert_eq!(host.sync(), [""; 0], "nothing is left to do");
}

#[test]
fn machines_come_and_go_and_keep_their_slots() {
    let mut host = Host::new(&estate(&["a", "b", "c"], "80"));
    host.show(&[Link::tap(7, "a"), Link::tap(8, "b")]);
    host.agent.plane.remove_interface(7);
    let events = host.show(&[Link::tap(8, "b"), Link::tap(9, "c")]);
    assert_eq!(events.last().unwrap(), "forget interface 7, which is gone");
    assert_eq!(
        (host.attached(), host.in_force()),
        (vec![8, 9], vec![(8, 2), (9, 3)]),
        "slot 1 was in force for a"
    );
    host.show(&[Link::tap(8, "b"), Link::tap(9, "c"), Link::tap(10, "a")]);
    assert_eq!(host.in_force(), [(10, 1), (8, 2), (9, 3)]);
}

#[test]
fn a_change_is_published_once_and_only_if_it_is_one() {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    host.change(&format!("{} // the same\n", estate(&["a"], "80")));
    assert_eq!(host.generation(), 1);
    host.change(&estate(&["a"], "443"));
    assert_eq!(host.generation(), 2);
}

#[test]
fn a_broken_file_changes_nothing_and_is_told() {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    let unknown_tag = estate(&["a"], "80").replacen("\"*\"", "\"Storage\"", 1);
    for (broken, code) in [
        ("{", "InvalidRequestContent"),
        (&estate(&["a"], "80-x"), "SecurityRuleInvalidPortRange"),
        (&unknown_tag, "PalNotEnforceable"),
    ] {
        let events = host.change(broken);
        let [event] = &events[..] else { panic!("{events:?}") };
        assert!(event.contains(code) && event.ends_with("the policy in force stays"), "{event}");
        assert_eq!((host.generation(), host.in_force()), (1, vec![(7, 1)]));
        let refused = host.agent.state().refused.clone().unwrap();
        assert_eq!((refused.time, refused.problems[0].code.as_str()), (host.clock, code));
    }
    let events = host.show(&[Link::tap(7, "a"), Link::tap(8, "a-new")]);
    assert_eq!(events, [""; 0], "the last good estate still decides");
    host.change(&estate(&["a"], "443"));
    assert_eq!((host.generation(), &host.agent.state().refused), (2, &None));
}

#[test]
fn the_last_good_estate_serves_machines_that_start_while_a_file_is_broken() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.show(&[Link::tap(7, "a")]);
    host.change("{");
    host.show(&[Link::tap(7, "a"), Link::tap(8, "b")]);
    assert_eq!(host.in_force(), [(7, 1), (8, 2)]);
}

#[test]
fn what_is_uncertain_is_closed() {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    let events = host.show(&[Link::tap(7, "a"), Link::tap(8, "a")]);
    assert!(events[0].contains("interfaces tap7, tap8 fit it, so all are closed"), "{events:?}");
    assert_eq!((host.attached(), host.in_force()), (vec![7, 8], vec![]));
    assert_eq!(host.agent.state().closed.keys().collect::<Vec<_>>(), ["tap7", "tap8"]);
    host.show(&[Link::tap(7, "a")]);
    assert_eq!(host.in_force(), [(7, 1)], "it is certain again");
}

#[test]
fn an_interface_whose_nic_left_the_estate_is_not_opened() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.show(&[Link::tap(7, "a"), Link::tap(8, "b")]);
    host.change(&estate(&["b"], "80"));
    assert_eq!((host.attached(), host.in_force()), (vec![7, 8], vec![(8, 2)]));
    assert!(host.agent.state().closed["tap7"].why.starts_with("its NIC is no longer in the estate"));
}

#[test]
fn a_restart_adopts_what_is_in_force_and_publishes_nothing() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.show(&[Link::tap(7, "a"), Link::tap(8, "b")]);
    let mut host = host.restart(None);
    host.agent.load(host.clock).unwrap();
    assert_eq!(host.sync(), ["generation 1 is in force and stays", "accepted an estate (NICs: 2)"]);
    assert_eq!((host.generation(), host.in_force()), (1, vec![(7, 1), (8, 2)]));
    assert_eq!(host.agent.state().started, host.clock);
}

#[test]
fn a_restart_on_a_broken_file_keeps_policy_and_closes_what_starts() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.show(&[Link::tap(7, "a")]);
    let mut host = host.restart(Some("{"));
    host.agent.load(host.clock).unwrap();
    host.show(&[Link::tap(7, "a"), Link::tap(8, "b")]);
    assert_eq!((host.attached(), host.in_force()), (vec![7, 8], vec![(7, 1)]));
    let state = host.agent.state();
    assert_eq!((state.nics.len(), state.closed.keys().next().unwrap().as_str()), (1, "tap8"));
    host.change(&estate(&["a", "b"], "80"));
    assert_eq!(host.in_force(), [(7, 1), (8, 2)]);
}

#[test]
fn without_its_memory_an_agent_gives_nobody_the_flows_of_others() {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    fs::write(instance(&host.dir).state_file(), "not JSON").unwrap();
    let mut host = host.restart(None);
    host.agent.load(host.clock).unwrap();
    host.show(&[Link::tap(7, "a")]);
    assert_eq!(host.in_force(), [(7, 2)]);
}

#[test]
fn an_interface_that_cannot_be_attached_is_told_and_tried_again() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.agent.plane.remove_interface(7);
    host.links = vec![Link::tap(7, "a"), Link::tap(8, "b")];
    assert!(!host.agent.sync(&host.look(), 5).unwrap());
    assert_eq!(host.agent.state().unenforced.keys().collect::<Vec<_>>(), ["tap7"]);
    assert_eq!(host.attached(), [8], "the other one is enforced");
    host.links.remove(0);
    assert!(host.agent.sync(&host.look(), 6).unwrap());
    assert!(host.agent.state().unenforced.is_empty());
}

#[test]
fn an_estate_that_came_while_the_disk_was_full_is_enforced_once_there_is_room() {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    let in_the_way = fill_the_disk(&host.dir);
    fs::write(host.dir.path().join("estate.json"), estate(&["a", "b"], "443")).unwrap();
    host.agent.load(5).unwrap_err();
    host.links.push(Link::tap(8, "b"));
    host.agent.sync(&host.look(), 5).unwrap_err();
    assert_eq!((host.attached(), host.in_force()), (vec![7, 8], vec![(7, 1)]), "the new machine is closed");

    fs::remove_dir(in_the_way).unwrap();
    assert!(host.agent.sync(&host.look(), 6).unwrap(), "no file changed, so nobody reads them again");
    assert_eq!((host.generation(), host.in_force()), (2, vec![(7, 1), (8, 2)]));
    assert_eq!(status(&instance(&host.dir)).unwrap().elsewhere, []);
}

/// Puts a folder in the place of the new state file, so that it cannot be written.
fn fill_the_disk(dir: &tempfile::TempDir) -> PathBuf {
    let in_the_way = instance(dir).state_file().with_extension("json.new");
    fs::create_dir(&in_the_way).unwrap();
    in_the_way
}

#[test]
fn a_first_start_that_cannot_publish_cuts_nobody_off() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.links = vec![Link::tap(7, "a"), Link::tap(8, "b")];
    let in_the_way = fill_the_disk(&host.dir);
    host.agent.sync(&host.look(), 5).unwrap_err();
    assert_eq!((host.generation(), host.attached()), (0, vec![]));
    let unenforced = &host.agent.state().unenforced;
    assert_eq!(unenforced.keys().collect::<Vec<_>>(), ["tap7", "tap8"], "and the status says so");
    assert!(unenforced["tap7"].starts_with("no policy was ever in force"), "{unenforced:?}");

    fs::remove_dir(in_the_way).unwrap();
    assert!(host.agent.sync(&host.look(), 6).unwrap());
    assert_eq!((host.attached(), host.in_force()), (vec![7, 8], vec![(7, 1), (8, 2)]));
    assert!(host.agent.state().unenforced.is_empty());
}

#[test]
fn where_the_kernel_lost_everything_a_refused_estate_cuts_nobody_off() {
    let mut host = Host::new(&estate(&["a", "b"], "80"));
    host.show(&[Link::tap(7, "a"), Link::tap(8, "a")]);
    drop(std::mem::take(&mut host.agent.plane));
    let mut host = host.restart(Some("{"));
    host.agent.load(host.clock).unwrap();
    host.show(&[Link::tap(7, "a"), Link::tap(8, "a")]);
    assert_eq!((host.generation(), host.attached()), (0, vec![]));
    let state = host.agent.state();
    assert_eq!((state.unenforced.len(), state.closed.len()), (2, 0), "nothing is called closed that is open");
    host.change(&estate(&["a", "b"], "80"));
    assert_eq!((host.attached(), host.in_force()), (vec![7, 8], vec![]), "both fit, so both are closed");
    assert_eq!(host.agent.state().closed.len(), 2);
}

#[test]
fn an_interface_that_became_another_kind_is_attached_anew() {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    let events = host.show(&[Link { kind: LinkKind::Macvtap, ..Link::tap(7, "a") }]);
    let expect =
        ["generation 2 is in force (interfaces: 1)", "attach to tap7 (interface 7, directions inverted)"];
    assert_eq!(events, expect);
    let inverted = Attachment { ifindex: 7, kind: NicKind::Inverted };
    assert_eq!(host.agent.plane().attached().unwrap(), [inverted]);
    assert_eq!(host.agent.plane().nics()[0].kind, NicKind::Inverted);
    assert_eq!(host.sync(), [""; 0]);
}

#[test]
fn one_instance_has_one_agent() {
    let host = Host::new(&estate(&["a"], "80"));
    let second = Agent::start(instance(&host.dir), EstateSources::default(), Limits::default(), 0, |_| {
        Ok(Simulator::new())
    });
    assert!(matches!(second, Err(AgentError::Busy { .. })), "{second:?}");
    assert!(status(&instance(&host.dir)).unwrap().agent_running);
    let dir = host.dir;
    drop(host.agent);
    let after = status(&instance(&dir)).unwrap();
    assert_eq!((after.agent_running, after.agent_pid), (false, Some(std::process::id())));
}

#[test]
fn windows_are_closed_until_the_clock_is_known_and_opened_once() {
    let timed = estate(&["a"], "80").replace(
        r#""name": "web-nsg","#,
        r#""name": "web-nsg", "tags": { "palisade-rule:allow": "expiresAt=2030-01-01T00:00:00Z" },"#,
    );
    let mut host = Host::new(&timed);
    let unset = Reading { anchor: Anchor(5), wall_s: 5, error_ns: 1 };
    let set = Reading { anchor: Anchor(7), wall_s: clock::SET_SINCE_S, error_ns: 1 };
    assert!(!host.agent.follow_clock(&unset).unwrap());
    host.agent.load(5).unwrap();
    let events = host.show(&[Link::tap(7, "a")]);
    assert!(events.iter().any(|event| event.contains("the wall clock was never set")), "{events:?}");
    assert!(status(&instance(&host.dir)).unwrap().windows_closed);
    let closed = host.agent.plane().policy().next().unwrap().clone();

    assert!(host.agent.follow_clock(&set).unwrap(), "the estate is to be read again");
    host.agent.load(6).unwrap();
    host.sync();
    assert_ne!(host.agent.plane().policy().next(), Some(&closed));
    assert!(!status(&instance(&host.dir)).unwrap().windows_closed);
    assert!(!host.agent.follow_clock(&set).unwrap());
    let stepped = Reading { anchor: Anchor(7_000_000_000), ..set };
    assert!(!host.agent.follow_clock(&stepped).unwrap(), "the kernel follows by itself");
    assert!(!host.agent.follow_clock(&unset).unwrap(), "and stays there");
    let events: Vec<_> = host.agent.take_events().iter().map(ToString::to_string).collect();
    assert!(events[0].contains("(offset 0.000000007 s, now 7.000000000 s)"), "{events:?}");
    assert_eq!(host.agent.plane().anchor(), 7_000_000_000);
}
