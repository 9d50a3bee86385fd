//! Guesses as guests tell of them: one address, a pool of addresses, many accounts, and who gets in.

use std::net::IpAddr;

use super::*;
use crate::{Severity, testing::host};

fn logon(second: u64, account: &str, source: Option<IpAddr>, outcome: LogonOutcome) -> Logon {
    Logon {
        time_ms: second * 1_000,
        machine: "web1".to_owned(),
        service: Service::Rdp,
        account: Some(account.to_owned()),
        source: source.map(|address| (address, Trace::Told)),
        outcome,
    }
}

fn failed(second: u64, account: &str, source: Option<IpAddr>) -> Logon {
    logon(second, account, source, LogonOutcome::Failed)
}

fn alerts(logons: impl IntoIterator<Item = Logon>) -> Vec<Alert> {
    let (mut guests, mut alerts) = (Guests::new(), Vec::new());
    logons.into_iter().for_each(|logon| guests.observe(&logon, &mut alerts));
    alerts
}

fn names(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(Alert::name).collect()
}

#[test]
fn one_address_is_told_of_at_the_sixth_try() {
    let told = alerts((0..20).map(|n| failed(n, "admin", Some(host(70_000)))));
    assert_eq!(names(&told), ["RDP_Incoming_BF_OneToOne"]);
    let Evidence::Logons(evidence) = told[0].evidence else { panic!("{told:?}") };
    assert_eq!((evidence.failures, evidence.accounts, evidence.traces), (6, 1, [6, 0, 0]));
    assert_eq!(told[0].guest.as_ref().map(Guest::name).as_deref(), Some("admin@web1"));
}

#[test]
fn many_accounts_are_nobodys_in_particular() {
    let told = alerts((0..20).map(|n| failed(n, &format!("user{n}"), Some(host(70_000)))));
    assert_eq!(names(&told), ["RDP_Incoming_BF_OneToOne"]);
    assert_eq!(told[0].guest.as_ref().map(Guest::name).as_deref(), Some("web1"));
}

#[test]
fn a_pool_of_addresses_shares_the_account() {
    // Each address tries once every minute, four are known, and of every fifth try the address is not known.
    let source = |n: u64| (n % 5 < 4).then(|| host(70_000 + u32::try_from(n % 5).expect("small")));
    let told = alerts((0..40).map(|n| failed(n * 12, "admin", source(n))));
    assert_eq!(names(&told), ["RDP_Incoming_BF_ManyToOne"]);
    let Evidence::Logons(evidence) = told[0].evidence else { panic!("{told:?}") };
    assert_eq!((evidence.addresses, evidence.accounts, told[0].source), (4, 1, None));
    let unknown = alerts((0..20).map(|n| failed(n, "admin", None)));
    assert_eq!(names(&unknown), ["RDP_Incoming_BF_ManyToOne"], "no address is known");
}

#[test]
fn who_gets_in_after_guessing_is_critical() {
    let guesses = || (0..8).map(|n| failed(n, "admin", Some(host(70_000))));
    let entry = |source| logon(60, "admin", Some(source), LogonOutcome::Succeeded);
    let told = alerts(guesses().chain([entry(host(70_000))]));
    assert_eq!(names(&told), ["RDP_Incoming_BF_OneToOne", "RDP_Incoming_BF_Success"]);
    assert_eq!(told[1].severity(), Severity::Critical);
    assert_eq!(alerts(guesses().chain([entry(host(9))])).len(), 1, "somebody else");
}

#[test]
fn a_new_address_in_an_account_that_was_guessed_at_is_critical() {
    let pool = |n: u64| failed(100 + n, "admin", Some(host(70_000 + u32::try_from(n).expect("small"))));
    let own = logon(0, "admin", Some(host(9)), LogonOutcome::Succeeded);
    let entry = |source| logon(200, "admin", Some(source), LogonOutcome::Succeeded);
    let told =
        |source| names(&alerts([own.clone()].into_iter().chain((0..12).map(pool)).chain([entry(source)])));
    assert_eq!(told(host(80_000)), ["RDP_Incoming_BF_ManyToOne", "RDP_Incoming_BF_Success"]);
    assert_eq!(told(host(9)), ["RDP_Incoming_BF_ManyToOne"], "its own user");
}

#[test]
fn people_who_mistype_are_left_alone() {
    let day = |n: u64| {
        let at = n * 4_000;
        let entry = logon(at + 9, "bob", Some(host(9)), LogonOutcome::Succeeded);
        [failed(at, "bob", Some(host(9))), failed(at + 4, "bob", Some(host(9))), entry]
    };
    assert_eq!(alerts((0..200).flat_map(day)), []);
}

#[test]
fn connections_of_which_no_more_is_known_count_if_they_are_fast() {
    let knock =
        |second| Logon { account: None, ..logon(second, "", Some(host(70_000)), LogonOutcome::Untold) };
    assert_eq!(alerts((0..20).map(knock)).len(), 1);
    assert_eq!(alerts((0..200).map(|n| knock(n * 3_600))), []);
}
