//! Who is let in.

use std::time::{Duration, SystemTime};

use palisade_control::fleet::{self, TOKEN_SECONDS_MAX};
use palisade_control::{Action, Caller, Expect, RecordChange};
use palisade_sync::RenewRequest;
use palisade_sync::fleet_client::FleetClient;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use sha2::{Digest as _, Sha256};
use tonic::Code;

use super::support::{Host, Server, Site, host, signing_request};
use crate::fleet::FleetEvent;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_one_host_in_once() {
    let site = Site::new();
    let mut server = Server::start(&site).await;
    let token = server.token(None).await;
    server.try_join(&token, "Host-A").await.expect("the first joins");
    server.event(|event| *event == FleetEvent::Joined { host: host("host-a") }).await;
    let again = server.try_join(&token, "host-b").await.expect_err("it was used");
    assert_eq!(again.code(), Code::Unauthenticated, "{again}");
    let taken = server.try_join(&server.token(None).await, "host-a").await.expect_err("there is one");
    assert_eq!(taken.code(), Code::AlreadyExists, "{taken}");
    let unknown = server.try_join("pal1.nothing", "host-c").await.expect_err("it is none");
    assert_eq!(unknown.code(), Code::Unauthenticated, "{unknown}");
    server.event(|event| matches!(event, FleetEvent::Refused { .. })).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_come_with_one_token_at_the_same_time_are_one_host() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let token = server.token(None).await;
    let (one, two) = tokio::join!(server.try_join(&token, "host-a"), server.try_join(&token, "host-b"));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    let hosts = server.control.read(|world| fleet::list(world, server.control.fleet()).len());
    assert_eq!(hosts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_host_or_that_has_ended_lets_nobody_in() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let token = server.token(Some("host-a")).await;
    let other = server.try_join(&token, "host-b").await.expect_err("it is for another");
    assert_eq!(other.code(), Code::Unauthenticated, "{other}");
    let key = fleet::TOKEN_PREFIX.to_owned() + &palisade_sync::token::digest(&token);
    let ended = serde_json::json!({"expires": 1});
    let change = RecordChange { key, value: Some(ended), expect: Expect::Present };
    let action = Action::Records { changes: vec![change], verb: "test" };
    server.control.act(&Caller::default(), action).await.expect("it is written");
    let late = server.try_join(&token, "host-a").await.expect_err("it has ended");
    assert!(late.message().contains("expired"), "{late}");
    let fingerprint = Sha256::digest(server.authority.der()).into();
    for expires in [1, u64::from(u32::MAX) + TOKEN_SECONDS_MAX] {
        let made =
            fleet::create_join_token(&server.control, &Caller::default(), fingerprint, None, expires).await;
        assert_eq!(made.expect_err("not such a time").code, "InvalidExpiry");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_or_none_opens_no_session() {
    let site = Site::new();
    let server = Server::start(&site).await;
    server.join("host-a").await;
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "host-a");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let forged = (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem());
    assert!(Host::connect(&server, &forged, <_>::default()).await.is_err());
    let mut nobody = FleetClient::new(server.channel(None).await.expect("TLS asks for no certificate"));
    let refused = nobody.renew(RenewRequest::default()).await.expect_err("but this service does");
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    // Signed by our authority, but for a host that never joined.
    let (request, key) = signing_request();
    let signed = server.authority.sign_host(&request, "host-b", SystemTime::now()).expect("a certificate");
    let stranger = Host::connect(&server, &(signed.pem, key), <_>::default()).await;
    assert_eq!(stranger.err().map(|status| status.code()), Some(Code::PermissionDenied));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_works_and_so_does_the_one_before() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let first = server.join("host-a").await;
    let mut client = FleetClient::new(server.channel(Some(&first)).await.expect("a channel"));
    let (request, key) = signing_request();
    let renewed = client.renew(RenewRequest { request }).await.expect("it is renewed").into_inner();
    for identity in [first, (renewed.certificate, key)] {
        let mut session = Host::connect(&server, &identity, <_>::default()).await.expect("a session");
        session.sync().await;
    }
    let wrong = client.renew(RenewRequest { request: "not a request".to_owned() }).await;
    assert_eq!(wrong.expect_err("it is none").code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_host_is_cut_off_at_once_and_a_removed_one_may_join_again() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let identity = server.join("host-a").await;
    let mut session = Host::connect(&server, &identity, <_>::default()).await.expect("a session");
    session.sync().await;
    fleet::revoke(&server.control, &Caller::default(), &host("host-a")).await.expect("it is revoked");
    assert_eq!(session.end().await.code(), Code::PermissionDenied);
    let again = Host::connect(&server, &identity, <_>::default()).await;
    assert_eq!(again.err().map(|status| status.code()), Some(Code::PermissionDenied));
    let taken = server.try_join(&server.token(None).await, "host-a").await;
    assert_eq!(taken.expect_err("the name is kept").code(), Code::AlreadyExists);
    fleet::remove(&server.control, &Caller::default(), &host("host-a")).await.expect("it is removed");
    server.join("host-a").await;
    let old = Host::connect(&server, &identity, <_>::default()).await;
    assert!(old.is_err(), "the new host's certificates are others");
    let none = fleet::remove(&server.control, &Caller::default(), &host("host-z")).await;
    assert_eq!(none.expect_err("there is none").status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_holds_nobody_up() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let silent: Vec<_> =
        (0..32).map(|_| std::net::TcpStream::connect(server.address).expect("a connection")).collect();
    let joined = tokio::time::timeout(Duration::from_secs(5), server.join("host-a")).await;
    assert!(joined.is_ok(), "{} silent clients", silent.len());
}
