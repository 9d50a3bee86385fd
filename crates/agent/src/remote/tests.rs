//! The protocol without a kernel: sessions and links against a server in memory.

use std::sync::Arc;
use std::time::Duration;

use palisade_sync::{FlowBatch, Hello, JoinToken, Report};

use super::*;
use crate::clock::wall_s;
use crate::fleet::{Fleet, wait_for};
use crate::records::{Outbox, SPOOL_BYTES, Spool};

fn document(key: &'static str, body: &str) -> (&'static str, String) {
    (key, body.to_owned())
}

/// Runs a client as those do who simulate many.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn joined(fleet: &Fleet, host: &str) -> Connection {
    let server = fleet.address().parse().unwrap();
    let credentials = client::join(&server, &Trust::Token, &fleet.token(), host).await.unwrap();
    Connection::open(&server, &credentials).await.unwrap()
}

#[test]
fn many_hosts_in_one_process_follow_a_server() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    run(async {
        let mut sessions = Vec::new();
        for number in 0..20 {
            let connection = joined(&fleet, &format!("host-{number}")).await;
            sessions.push(connection.follow(Hello::default(), None).await.unwrap());
        }
        for revision in 1..=3 {
            for session in &mut sessions {
                let state = session.next().await.unwrap();
                assert_eq!((state.revision, state.documents.len()), (revision, 1));
                let report = Report { applied_revision: revision, ..Report::default() };
                session.report(report).await.unwrap();
            }
            fleet.give(&[document("/a", &format!("{revision}+1"))]);
        }
        while fleet.mind().reports.len() < 60 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert_eq!(fleet.mind().joins, 20);
}

#[test]
fn a_session_goes_on_from_what_the_host_has() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1"), document("/b", "2")]);
    run(async {
        let connection = joined(&fleet, "host").await;
        let have = connection.follow(Hello::default(), None).await.unwrap().next().await.unwrap();
        let documents = fleet.mind().documents.clone();
        fleet.mind().resumable = Some((1, documents));
        fleet.give(&[document("/b", "2"), document("/c", "3")]);
        let next = connection.follow(Hello::default(), Some(&have)).await.unwrap().next().await.unwrap();
        let keys: Vec<_> = next.documents.iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!((next.revision, keys), (2, vec!["/b".to_owned(), "/c".to_owned()]));
    });
    let hellos = fleet.mind().hellos.clone();
    assert_eq!((hellos[0].have_revision, hellos[1].have_revision), (0, 1));
    assert_eq!((hellos[0].have_hash.len(), hellos[1].have_hash.len()), (0, 32));
}

#[test]
fn a_server_that_is_not_known_is_not_given_the_token() {
    let (fleet, other) = (Fleet::start(), Fleet::start());
    let server = fleet.address().parse().unwrap();
    run(async {
        let token = other.token();
        let error = client::join(&server, &Trust::Token, &token, "host").await.unwrap_err();
        assert!(crate::error::in_full(&error).contains("UnknownIssuer"), "{error:?}");
        let given = Trust::Authority(Box::new(other.authority()));
        assert!(client::join(&server, &given, &fleet.token(), "host").await.is_err());
        let given = Trust::Authority(Box::new(fleet.authority()));
        client::join(&server, &given, &fleet.token(), "host").await.unwrap();
        let unknown = JoinToken::new(fleet.authority().fingerprint(), [0; 32]);
        let error = client::join(&server, &Trust::Token, &unknown, "host").await.unwrap_err();
        assert!(
            error.to_string().ends_with("the join token is unknown or was used (make a new one)"),
            "{error}"
        );
    });
    assert_eq!((fleet.mind().joins, other.mind().tokens.len()), (1, 1));
}

/// A host whose agent only takes what it is given.
struct Host {
    dir: tempfile::TempDir,
    options: ServerOptions,
    outbox: Arc<Outbox>,
    link: Option<Link>,
    contacts: Vec<Contact>,
}

impl Host {
    fn new(fleet: &Fleet, token: Option<JoinToken>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            server: fleet.address().parse().unwrap(),
            token,
            authority: None,
            host: "host".to_owned(),
            data_dir: dir.path().join("data"),
            service_tags: Vec::new(),
        };
        let spool = Spool::open(&dir.path().join("flows"), SPOOL_BYTES).unwrap();
        let outbox = Arc::new(Outbox::new(spool));
        let mut host = Self { dir, options, outbox, link: None, contacts: Vec::new() };
        host.start(Standing::default());
        host
    }

    fn start(&mut self, standing: Standing) {
        self.link = None;
        let outbox = Arc::clone(&self.outbox);
        self.link = Some(Link::start(self.options.clone(), self.vault(), outbox, standing).unwrap());
    }

    fn vault(&self) -> Vault {
        Vault::open(&self.options.data_dir).unwrap()
    }

    fn news(&mut self) -> Option<Snapshot> {
        let news = self.link.as_ref().unwrap().take();
        self.contacts.extend(news.contact);
        news.arrived
    }

    fn arrival(&mut self, revision: u64) -> Snapshot {
        wait_for("a state to arrive", || self.news().filter(|state| state.revision == revision))
    }

    /// Waits until there is no connection for a reason with these words.
    fn lost(&mut self, words: &str) {
        wait_for(words, || {
            let _state = self.news();
            let is_it = |contact: &Contact| matches!(contact, Contact::Lost { why } if why.contains(words));
            self.contacts.iter().any(is_it).then_some(())
        });
    }
}

#[test]
fn a_host_joins_once_and_is_known_from_then_on() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    let mut host = Host::new(&fleet, Some(fleet.token()));
    host.arrival(1);
    let file = host.options.data_dir.join("host.json");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "the key is nobody else's");
    host.start(Standing::default());
    host.arrival(1);
    host.options.token = None;
    host.start(Standing::default());
    host.arrival(1);
    assert_eq!(fleet.mind().joins, 1, "the token that it joined with is not used again");
    host.options.token = Some(fleet.token());
    host.start(Standing::default());
    host.arrival(1);
    assert_eq!(fleet.mind().joins, 2, "a new one says that it is to join anew");
    assert!(host.dir.path().exists());
}

#[test]
fn a_host_without_a_token_says_what_is_missing() {
    let fleet = Fleet::start();
    let mut host = Host::new(&fleet, None);
    host.lost("make a join token on the server");
}

#[test]
fn other_documents_than_the_servers_are_asked_for_anew() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    let mut host = Host::new(&fleet, Some(fleet.token()));
    let have = host.arrival(1);
    let documents = fleet.mind().documents.clone();
    fleet.mind().resumable = Some((1, documents));
    host.link.as_ref().unwrap().stand(Standing { accepted: Some(have), ..Standing::default() });
    fleet.mind().lies = true;
    fleet.give(&[document("/a", "2")]);
    host.lost("the documents of revision 2 are not those that server");
    host.arrival(2);
    let have: Vec<u64> = fleet.mind().hellos.iter().map(|hello| hello.have_revision).collect();
    assert_eq!(have, [0, 0], "not from revision 1, though that is known on both sides");
}

#[test]
fn a_server_that_comes_back_finds_its_hosts() {
    let mut fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    let mut host = Host::new(&fleet, Some(fleet.token()));
    host.arrival(1);
    fleet.stop();
    host.lost("server");
    fleet.give(&[document("/a", "2")]);
    fleet.resume();
    host.arrival(2);
    assert_eq!(host.contacts.last(), Some(&Contact::Connected { host: "host".to_owned() }));
}

#[test]
fn a_revoked_host_is_told_so() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    fleet.mind().refusal = Some("host host is revoked".to_owned());
    let mut host = Host::new(&fleet, Some(fleet.token()));
    host.lost("host host is revoked");
    fleet.mind().refusal = None;
    host.arrival(1);
}

#[test]
fn a_certificate_is_renewed_before_it_ends() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    fleet.mind().life = Duration::from_secs(3);
    let mut host = Host::new(&fleet, Some(fleet.token()));
    host.arrival(1);
    let first = host.vault().joined().unwrap().unwrap().credentials;
    wait_for("two renewals", || (fleet.mind().renewals >= 2).then_some(()));
    let renewed = wait_for("the certificate to be on disk", || {
        let joined = host.vault().joined().unwrap().unwrap();
        (joined.credentials.ends() > first.ends()).then_some(joined.credentials)
    });
    assert_ne!(renewed.identity(), first.identity());
    assert!(!format!("{renewed:?}").contains("PRIVATE"));
    host.start(Standing::default());
    host.arrival(1);
    assert_eq!(fleet.mind().joins, 1);
}

#[test]
fn a_certificate_that_has_ended_needs_a_new_token() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    fleet.mind().life = Duration::from_secs(1);
    let mut host = Host::new(&fleet, Some(fleet.token()));
    host.arrival(1);
    host.link = None;
    let ends = host.vault().joined().unwrap().unwrap().credentials.ends();
    wait_for("the certificate to end", || (wall_s() > ends).then_some(()));
    fleet.mind().life = Duration::from_secs(3600);
    host.start(Standing::default());
    host.lost("the certificate of this host has ended");
    host.options.token = Some(fleet.token());
    host.start(Standing::default());
    host.arrival(1);
}

#[test]
fn only_what_differs_is_told() {
    let fleet = Fleet::start();
    fleet.give(&[document("/a", "1")]);
    let mut host = Host::new(&fleet, Some(fleet.token()));
    host.arrival(1);
    let interface = palisade_sync::Interface { name: "tap0".to_owned(), ..Default::default() };
    let inventory = palisade_sync::Inventory { interfaces: vec![interface] };
    for revision in [1, 1, 2, 2] {
        let report = Some(Report { applied_revision: revision, ..Report::default() });
        let standing = Standing { report, inventory: inventory.clone(), accepted: None };
        host.link.as_ref().unwrap().stand(standing);
        fleet.in_force(revision);
    }
    wait_for("the inventory", || (fleet.mind().inventories.len() == 1).then_some(()));
    let reports: Vec<u64> = fleet.mind().reports.iter().map(|(report, _)| report.applied_revision).collect();
    assert_eq!(reports, [1, 2]);
    host.start(Standing { inventory: inventory.clone(), ..Standing::default() });
    host.arrival(1);
    assert_eq!(fleet.mind().hellos[1].inventory, Some(inventory));
}

/// Batches of one record each, which has the batch's number.
fn spool(host: &Host, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let mut batch = FlowBatch::default();
        batch.push_lost(number, number, "nobody");
        host.outbox.put(batch);
    }
}

#[test]
fn flow_records_are_sent_again_until_the_server_has_them() {
    let mut fleet = Fleet::start();
    fleet.mind().window = 2;
    let mut host = Host::new(&fleet, Some(fleet.token()));
    let writer = std::thread::spawn({
        let outbox = Arc::clone(&host.outbox);
        move || outbox.write()
    });
    spool(&host, 1..=3);
    let numbers = |fleet: &Fleet| -> Vec<u64> {
        fleet.mind().flows.iter().map(|batch| batch.packets_to_destination[0]).collect()
    };
    // It says nothing of what arrived: no more than the window is sent.
    wait_for("two batches", || (numbers(&fleet).len() == 2).then_some(()));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(numbers(&fleet), [1, 2]);
    fleet.stop();
    spool(&host, 4..=5);
    fleet.mind().flows.clear();
    fleet.mind().keeps = true;
    fleet.resume();
    wait_for("all batches", || (numbers(&fleet) == [1, 2, 3, 4, 5]).then_some(()));
    assert!(host.outbox.is_wanted());
    // Another agent of the host goes on after what the server has.
    host.link = None;
    host.start(Standing::default());
    spool(&host, 6..=6);
    wait_for("the last batch", || (numbers(&fleet).last() == Some(&6)).then_some(()));
    assert_eq!(numbers(&fleet), [1, 2, 3, 4, 5, 6]);
    // A server that takes none is not sent any, and none are made for it.
    host.link = None;
    fleet.mind().window = 0;
    fleet.give(&[document("/a", "1")]);
    host.start(Standing::default());
    wait_for("the agent to know", || (!host.outbox.is_wanted()).then_some(()));
    host.outbox.close();
    writer.join().unwrap();
}
