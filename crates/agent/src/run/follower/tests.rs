//! An agent of a server, on a datapath that is only memory and with a server that is only memory; what is between them is
//! real: TLS, the protocol, the thread, the files.

use palisade_datapath::{Limits, Simulator, Watch};
use palisade_sync::Report;

use super::*;
use crate::fleet::{Fleet, NETWORK, estate, wait_for};
use crate::instance::Instance;
use crate::interfaces::Link as Interface;

/// A host, with the loop of its agent taken by hand.
struct Host {
    dir: tempfile::TempDir,
    options: ServerOptions,
    links: Vec<Interface>,
    agent: Agent<Simulator>,
    follower: Follower,
    told: Vec<String>,
}

impl Host {
    fn new(fleet: &Fleet) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            server: fleet.address().parse().unwrap(),
            token: Some(fleet.token()),
            authority: None,
            host: "host".to_owned(),
            data_dir: dir.path().join("data"),
            service_tags: Vec::new(),
        };
        let (agent, follower) = start(&dir, &options, Simulator::new());
        let mut host =
            Self { dir, options, links: vec![Interface::tap(7, "a")], agent, follower, told: Vec::new() };
        host.begin();
        host
    }

    /// What the loop does first.
    fn begin(&mut self) {
        if self.follower.input().is_some() {
            self.load();
        }
        self.sync();
    }

    fn load(&mut self) {
        self.agent.load(5).unwrap();
        self.follower.loaded(&self.agent);
    }

    fn sync(&mut self) {
        let host = Inventory { links: self.links.clone(), bypasses: Vec::new() };
        let outcome = self.agent.sync(&host, 5);
        let events = self.follower.synced(&mut self.agent, &outcome, &host).unwrap();
        self.tell(&events);
    }

    fn tell(&mut self, events: &[Event]) {
        self.told.extend(events.iter().chain(&self.agent.take_events()).map(ToString::to_string));
    }

    /// One turn of the loop.
    fn turn(&mut self) {
        if let Some(heard) = self.follower.hear(&mut self.agent, 5) {
            if heard.is_estate_new {
                self.load();
            }
            self.tell(&heard.events);
            self.sync();
        }
    }

    /// Lets the loop go round until the server was told this.
    fn reported(&mut self, fleet: &Fleet, what: &str, is_it: impl Fn(&Report) -> bool) -> Report {
        wait_for(what, || {
            self.turn();
            fleet.mind().reports.last().map(|(report, _)| report.clone()).filter(|report| is_it(report))
        })
    }

    fn in_force(&mut self, fleet: &Fleet, revision: u64) -> Report {
        self.reported(fleet, "a revision to be in force", |report| {
            report.applied_revision == revision && report.error.is_empty()
        })
    }

    /// The agent is killed, and another starts.
    fn restart(self) -> Self {
        let Self { dir, options, links, agent, follower, told } = self;
        drop(follower);
        let (agent, follower) = start(&dir, &options, agent.into_plane());
        let mut host = Self { dir, options, links, agent, follower, told };
        host.begin();
        host
    }

    fn server(&self) -> ServerState {
        self.agent.state().server.clone().unwrap()
    }
}

fn start(dir: &tempfile::TempDir, options: &ServerOptions, plane: Simulator) -> (Agent<Simulator>, Follower) {
    let instance = Instance { pin_dir: dir.path().join("pins"), state_dir: dir.path().join("state") };
    let follower = Follower::open(options.clone(), 5).unwrap();
    let input = follower.input().unwrap_or_else(|| crate::load::EstateSources::default().into());
    (Agent::start(instance, input, Limits::default(), 5, |_| Ok(plane)).unwrap(), follower)
}

#[test]
fn what_a_server_gives_is_enforced_and_reported() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    assert_eq!(
        host.agent.plane().generation(),
        0,
        "before the server has said anything, nothing is enforced"
    );
    fleet.give(&estate(&["a", "b"], "80"));
    let report = host.in_force(&fleet, 1);
    assert_eq!(report.applied_hash, fleet.mind().documents.hash());
    let [nic] = &report.nics[..] else { panic!("{report:?}") };
    let told = (nic.id.as_str(), nic.interface.as_str(), nic.error.as_str(), nic.policy.len());
    assert_eq!(told, (format!("{NETWORK}/networkinterfaces/a").as_str(), "tap7", "", 32));
    assert_eq!((host.agent.plane().nics().len(), host.agent.plane().attached().unwrap().len()), (1, 1));
    let told = host.told.join("\n");
    assert!(told.contains("as host host") && told.contains("revision 1 arrived (documents: 4)"), "{told}");

    fleet.give(&estate(&["a", "b"], "443"));
    let changed = host.in_force(&fleet, 2);
    assert_ne!(changed.nics[0].policy, nic.policy);
    assert_eq!(host.agent.plane().generation(), 2);
    let server = host.server();
    assert_eq!((server.connected, server.revision, server.seen, server.error), (true, 2, 2, None));
}

#[test]
fn the_same_documents_under_a_new_number_change_nothing_but_the_number() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give(&estate(&["a"], "80"));
    host.in_force(&fleet, 1);
    fleet.give(&estate(&["a"], "80"));
    host.in_force(&fleet, 2);
    assert_eq!(host.agent.plane().generation(), 1);
    let accepted = host.told.iter().filter(|event| event.starts_with("accepted")).count();
    assert_eq!(accepted, 1, "they were not even read again: {:?}", host.told);
    assert_eq!(Journal::open(&host.follower.vault.journal()).unwrap().kept().unwrap().revision, 2);
}

#[test]
fn bad_documents_are_refused_and_the_last_good_ones_stay() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give(&estate(&["a"], "80"));
    let good = host.in_force(&fleet, 1);
    fleet.give(&estate(&["a"], "80-x"));
    let report = host.reported(&fleet, "a refusal", |report| report.seen_revision == 2);
    assert!(report.error.contains("SecurityRuleInvalidPortRange"), "{report:?}");
    assert!(report.error.contains("networksecuritygroups/web-nsg"), "it names the document: {report:?}");
    assert_eq!((report.applied_revision, &report.applied_hash), (1, &good.applied_hash));
    assert_eq!((host.agent.plane().generation(), &report.nics), (1, &good.nics));
    assert_eq!((host.server().revision, host.server().seen), (1, 2));

    let mut host = host.restart();
    assert!(host.agent.state().refused.is_none(), "what is on disk is good");
    assert_eq!((host.server().revision, host.server().seen), (1, 1));
    host.reported(&fleet, "the refusal again", |report| {
        report.seen_revision == 2 && !report.error.is_empty()
    });
    fleet.give(&estate(&["a"], "443"));
    let report = host.in_force(&fleet, 3);
    assert_eq!((report.error.as_str(), report.seen_revision), ("", 3));
    assert!(host.agent.state().refused.is_none());
}

#[test]
fn taking_back_what_was_refused_is_in_force_at_once() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give(&estate(&["a"], "80"));
    host.in_force(&fleet, 1);
    fleet.give(&estate(&["a"], "80-x"));
    host.reported(&fleet, "a refusal", |report| !report.error.is_empty());
    fleet.give(&estate(&["a"], "80"));
    host.in_force(&fleet, 3);
    assert_eq!(host.agent.plane().generation(), 1);
}

#[test]
fn without_a_server_an_agent_enforces_what_it_was_given_last() {
    let mut fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give(&estate(&["a", "b"], "80"));
    host.in_force(&fleet, 1);
    fleet.stop();
    wait_for("the connection to be lost", || {
        host.turn();
        (!host.server().connected).then_some(())
    });
    // The host is started anew: nothing is in the kernel any more.
    let Host { dir, options, links, agent, follower, told } = host;
    drop((agent, follower));
    let (agent, follower) = start(&dir, &options, Simulator::new());
    let mut host = Host { dir, options, links, agent, follower, told };
    host.begin();
    assert_eq!((host.agent.plane().generation(), host.agent.plane().nics().len()), (1, 1));
    host.links.push(Interface::tap(8, "b"));
    host.sync();
    assert_eq!(host.agent.plane().nics().len(), 2, "machines that come later too");
    wait_for("the status to say so", || {
        host.turn();
        host.server().error.filter(|why| why.contains("cannot be reached"))
    });
    let lines = host.told.iter().filter(|event| event.contains("cannot be reached")).count();
    assert_eq!(lines, 1, "{:?}", host.told);

    fleet.resume();
    fleet.give(&estate(&["a", "b"], "443"));
    host.in_force(&fleet, 2);
    assert!(host.server().connected);
    let have = fleet.mind().hellos.last().unwrap().have_revision;
    assert_eq!(have, 1, "it goes on from there");
}

#[test]
fn what_changes_by_itself_is_reported() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give(&estate(&["a", "b"], "80"));
    host.in_force(&fleet, 1);
    host.links.push(Interface::tap(8, "b"));
    host.sync();
    let report = host.reported(&fleet, "the second NIC", |report| report.nics.len() == 2);
    assert_eq!(report.nics[1].interface, "tap8");
    let inventory = wait_for("the interfaces", || fleet.mind().inventories.last().cloned());
    assert_eq!(
        inventory.interfaces.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(),
        ["tap7", "tap8"]
    );

    host.links.push(Interface::tap(9, "b"));
    host.sync();
    let report = host.reported(&fleet, "a closed NIC", |report| !report.nics[1].error.is_empty());
    assert!(report.nics[1].error.contains("interfaces tap8, tap9 fit it"), "{report:?}");
    assert_eq!((report.nics[1].policy.len(), report.applied_revision), (0, 1));
    host.links.truncate(1);
    host.sync();
    host.reported(&fleet, "an interface that is gone", |report| report.nics.len() == 1);
}

#[test]
fn a_host_that_no_nic_is_on_has_nothing_and_says_so() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give::<&str>(&[]);
    let report = host.in_force(&fleet, 1);
    assert_eq!((report.nics.len(), report.error.as_str()), (0, ""));
}

#[test]
fn documents_that_cannot_be_written_down_are_enforced_and_it_is_told_once() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    std::fs::create_dir(host.dir.path().join("data/documents.log.new")).unwrap();
    fleet.give(&estate(&["a"], "80"));
    host.in_force(&fleet, 1);
    host.sync();
    let lines = host.told.iter().filter(|event| event.contains("documents.log")).count();
    assert_eq!(lines, 1, "{:?}", host.told);
    std::fs::remove_dir(host.dir.path().join("data/documents.log.new")).unwrap();
    host.sync();
    assert_eq!(Journal::open(&host.follower.vault.journal()).unwrap().kept().unwrap().revision, 1);
}

#[test]
fn a_revoked_host_goes_on_enforcing_and_its_status_says_why() {
    let mut fleet = Fleet::start();
    let mut host = Host::new(&fleet);
    fleet.give(&estate(&["a"], "80"));
    host.in_force(&fleet, 1);
    fleet.mind().refusal = Some("host host is revoked".to_owned());
    fleet.stop();
    fleet.resume();
    wait_for("the status to say so", || {
        host.turn();
        host.server().error.filter(|why| why.contains("host host is revoked"))
    });
    assert_eq!((host.agent.plane().nics().len(), host.server().revision), (1, 1));
}
