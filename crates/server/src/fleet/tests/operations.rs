//! Operations end with what hosts report, also where another server serves them.

use std::time::Duration;

use palisade_control::Options;
use palisade_control::fleet::OperationState;
use palisade_sync::Report;
use tokio::time::Instant;

use super::support::{Host, PATIENCE, Server, Site};

async fn wait(server: &Server, operation: &str) -> OperationState {
    let state = server.control.fleet().wait(operation, Instant::now() + PATIENCE).await;
    state.expect("the operation is known")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_succeeds_when_the_host_has_it_in_force() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let (_, mut session) = server.host_a().await;
    session.sync().await;
    let operation = server.rule("one", 80).await.operation.expect("a host must act");
    assert_eq!(server.control.operation(&operation), Some(OperationState::InProgress));
    let revision = session.sync().await.revision;
    session.applied(revision).await;
    assert_eq!(wait(&server, &operation).await, OperationState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_fails_it_with_the_hosts_reason() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let (_, mut session) = server.host_a().await;
    session.sync().await;
    let operation = server.rule("one", 80).await.operation.expect("a host must act");
    let seen = session.sync().await.revision;
    session
        .report(Report { seen_revision: seen, error: "no room for it".to_owned(), ..Report::default() })
        .await;
    let OperationState::Failed { code, message } = wait(&server, &operation).await else {
        panic!("it fails")
    };
    assert_eq!(code, "PolicyRefused");
    assert!(message.contains("host a refused") && message.contains("no room for it"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_fails_it_and_names_the_host() {
    let site = Site::new();
    let options = Options { confirm_timeout: Duration::from_millis(50), ..Options::default() };
    let server = Server::start_with(&site, options, false).await;
    server.lay_out().await;
    server.join("host-b").await;
    let operation = server.nic("nic-b", "one", "host-b").await.operation.expect("a host must act");
    let OperationState::Failed { code, message } = wait(&server, &operation).await else {
        panic!("it fails")
    };
    assert_eq!(code, "AgentsUnreachable");
    assert!(message.starts_with("1 of 1 host did not confirm generation"), "{message}");
    assert!(message.contains("host-b (never seen)"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_store_know_what_the_hosts_of_the_others_have() {
    let site = Site::new();
    let one = Server::start_with(&site, Options::default(), true).await;
    let two = Server::start_with(&site, Options::default(), true).await;
    one.lay_out().await;
    let identity = one.join("a").await;
    one.nic("nic-a", "one", "a").await;
    // The host may reach the second server before that has heard of it.
    let mut session = loop {
        match Host::connect(&two, &identity, <_>::default()).await {
            Ok(session) => break session,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    session.sync().await;
    let outcome = one.rule("one", 80).await;
    let operation = outcome.operation.expect("a host must act");
    let mut revision = 0;
    while revision < outcome.revision.0 {
        revision = session.sync().await.revision;
    }
    session.applied(revision).await;
    assert_eq!(wait(&one, &operation).await, OperationState::Succeeded);
}
