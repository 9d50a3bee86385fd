//! What hosts are sent: their own span, deltas, everything again when it must be.

use palisade_control::fleet;
use palisade_sync::{Report, from_server};
use tonic::Code;

use super::support::{Host, Server, Site, host};
use crate::fleet::FleetEvent;

fn names(keys: &[String]) -> Vec<&str> {
    let mut names: Vec<_> = keys.iter().filter_map(|key| key.rsplit('/').next()).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_has_its_own_span_and_is_told_of_its_own_changes_only() {
    let site = Site::new();
    let server = Server::start(&site).await;
    server.lay_out().await;
    let (a, b) = (server.join("a").await, server.join("b").await);
    server.nic("nic-a", "one", "a").await;
    server.nic("nic-b", "two", "b").await;
    let mut a = Host::connect(&server, &a, <_>::default()).await.expect("a session");
    let mut b = Host::connect(&server, &b, <_>::default()).await.expect("a session");
    let (for_a, for_b) = (a.sync().await, b.sync().await);
    assert!(for_a.is_reset && for_b.is_reset);
    assert_eq!(names(&for_a.keys), ["nic-a", "one", "s", "v"]);
    assert_eq!(names(&for_b.keys), ["nic-b", "s", "two", "v"]);
    server.rule("two", 443).await;
    let change = b.sync().await;
    assert_eq!((change.is_reset, names(&change.keys)), (false, vec!["r"]), "one rule, not the whole group");
    let last = server.rule("one", 80).await.revision.0;
    let change = a.sync().await;
    assert_eq!(names(&change.keys), ["r"]);
    assert_eq!(change.revision, last, "the first thing that host a hears is its own change");
    server.stop().await;
    assert_eq!(a.end().await.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_has_everything_is_sent_nothing_and_one_that_has_the_last_state_what_is_new() {
    let site = Site::new();
    let mut server = Server::start(&site).await;
    let (identity, mut first) = server.host_a().await;
    first.sync().await;
    let has = first.documents.clone();
    drop(first);
    server.event(|event| matches!(event, FleetEvent::Lost { .. })).await;
    let mut same = Host::connect(&server, &identity, has.clone()).await.expect("a session");
    let sent = same.sync().await;
    assert_eq!((sent.is_reset, sent.keys.len()), (false, 0));
    drop(same);
    server.event(|event| matches!(event, FleetEvent::Lost { .. })).await;
    server.rule("one", 443).await;
    let mut behind = Host::connect(&server, &identity, has.clone()).await.expect("a session");
    let sent = behind.sync().await;
    assert_eq!((sent.is_reset, names(&sent.keys)), (false, vec!["r"]));
    drop(behind);
    server.stop().await;
    // Another server has never sent it anything.
    let server = Server::start(&site).await;
    let mut unknown = Host::connect(&server, &identity, has).await.expect("a session");
    assert!(unknown.sync().await.is_reset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_behind_is_sent_the_newest_difference_and_no_queue() {
    const CHANGES: u16 = 200;
    let site = Site::new();
    let server = Server::start(&site).await;
    let (_, mut slow) = server.host_a().await;
    slow.sync().await;
    let mut last = 0;
    for port in 1..=CHANGES {
        last = server.rule("one", port).await.revision.0;
    }
    let mut states = 0;
    while slow.sync().await.revision < last {
        states += 1;
    }
    // What fits into buffers on the way was sent already; it must not be one state for each change.
    let (_, rule) =
        slow.documents.iter().find(|(key, _)| key.ends_with("/securityrules/r")).expect("the rule");
    let text = String::from_utf8_lossy(rule.body());
    assert!(text.contains(&format!("\"destinationPortRange\":\"{CHANGES}\"")), "{text}");
    assert!(states < usize::from(CHANGES), "{states} states");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_hash_differs_is_sent_everything_again() {
    let site = Site::new();
    let mut server = Server::start(&site).await;
    let (_, mut session) = server.host_a().await;
    let revision = session.sync().await.revision;
    let wrong = Report { applied_revision: revision, applied_hash: vec![7; 32], ..Report::default() };
    session.report(wrong).await;
    server.event(|event| matches!(event, FleetEvent::Differs { .. })).await;
    let again = session.sync().await;
    assert_eq!((again.is_reset, again.keys.len()), (true, 4));
    session.applied(again.revision).await;
    server.event(|event| matches!(event, FleetEvent::Applied { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_session_replaces_the_first() {
    let site = Site::new();
    let mut server = Server::start(&site).await;
    let identity = server.join("a").await;
    let mut first = Host::connect(&server, &identity, <_>::default()).await.expect("a session");
    first.sync().await;
    let mut second = Host::connect(&server, &identity, <_>::default()).await.expect("a session");
    second.sync().await;
    assert_eq!(first.end().await.code(), Code::Aborted);
    server.event(|event| *event == FleetEvent::Replaced { host: host("a") }).await;
    let standing = server.control.fleet().standing(&host("a")).expect("it was heard of");
    assert!(standing.connected.is_some(), "the end of the first is not the end of the second");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_brings_the_interfaces_that_it_fits() {
    let site = Site::new();
    let mut server = Server::start(&site).await;
    server.lay_out().await;
    let identity = server.join("a").await;
    let untagged = server.nic("nic-a", "one", "nobody").await;
    assert_eq!(untagged.operation, None, "nobody is to act on it");
    let mut session = Host::connect(&server, &identity, <_>::default()).await.expect("a session");
    assert_eq!(session.sync().await.keys.len(), 0);
    server.nic("nic-a", "one", "a").await;
    assert_eq!(names(&session.sync().await.keys), ["nic-a", "one", "s", "v"]);
    let interfaces = vec![palisade_sync::Interface::default(); palisade_sync::limits::INTERFACES_MAX + 1];
    let inventory = palisade_sync::Inventory { interfaces };
    let too_many = palisade_sync::from_agent::Message::Inventory(inventory);
    session.outgoing.send(palisade_sync::FromAgent { message: Some(too_many) }).await.expect("sent");
    assert_eq!(session.end().await.code(), Code::InvalidArgument);
    server.event(|event| matches!(event, FleetEvent::Lost { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_of_a_host_is_what_it_last_said() {
    let site = Site::new();
    let mut server = Server::start(&site).await;
    let (_, mut session) = server.host_a().await;
    assert!(matches!(session.next().await, Ok(Some(from_server::Message::Reset(_)))));
    let revision = session.sync().await.revision;
    session.applied(revision).await;
    server.event(|event| *event == FleetEvent::Applied { host: host("a"), revision }).await;
    let shown = server.control.read(|world| fleet::list(world, server.control.fleet()));
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].nics.len(), 1);
    let standing = shown[0].standing.as_ref().expect("it was heard of");
    assert_eq!((standing.version.as_str(), standing.address.as_str()), ("test", "127.0.0.1"));
}
