//! What a server tells its operator, in sentences.

use std::{
    fmt,
    io::{self, Write as _},
};

use palisade_server::{Event, fleet::FleetEvent};

/// Prints an event.
pub fn tell(event: Event) {
    let text = match event {
        Event::Listening { address } => format!("serving clients at https://{address}"),
        Event::AgentsListening { address } => format!("serving agents at {address}"),
        Event::Bootstrapped { file } => format!(
            "first start: the credentials of the owner are in {0} (log in: palisade login --bootstrap {0})",
            file.display()
        ),
        Event::CertificateRenewed => "the certificate was renewed".to_owned(),
        Event::RenewalFailed { why } => {
            format!("the certificate could not be renewed, the old one serves on: {why}")
        }
        Event::Panicked { request, why } => {
            format!("a defect: request {request} was answered with 500: {why}")
        }
        Event::RateLimited { who } => format!("{who} asks too often, and is told to wait"),
        Event::Fleet(event) => of_fleet(event),
        Event::Failed { what, why } => format!("{what} failed: {why}"),
        Event::IntentBroken { why, .. } => {
            format!("what is in force does not keep to the intents, and stays in force: {why}")
        }
        Event::FlowsNotStored { why } => format!("flow records wait at their hosts: {why}"),
        Event::FlowsNotTidied { why } => format!("the flow store is not tidied up: {why}"),
        Event::Answered { alert, policy, what } => format!("alert {alert}: {what} (policy {policy})"),
        Event::AnswerWithheld { alert, policy, why } => {
            format!("alert {alert}: policy {policy} does nothing: {why}")
        }
        Event::AnswerFailed { alert, why } => format!("alert {alert} is not answered: {why}"),
        Event::Alert { id, severity, name, subject, machine } => {
            let at = machine.map(|machine| format!(" at {machine}")).unwrap_or_default();
            format!("alert {id}, {severity}: {name} by {subject}{at} (palisade alerts show {id})")
        }
        Event::AlertsNotKept { why } => format!("alerts are not kept: {why}"),
        Event::AlertsForgotten { count } => {
            format!("{count} older alerts made room for new ones (acknowledge those that are dealt with)")
        }
        Event::NoticesLost { target, count, why } => {
            format!("{count} notices did not reach {target}: {why}")
        }
        Event::FlowsNotWatched { count } => {
            format!(
                "the detectors did not see {count} flow records: too many waited, or a host's clock is ahead"
            )
        }
        Event::DetectorsCold { why } => format!("the detectors know nothing of the past: {why}"),
        Event::HousekeepingBegun => "this server keeps house for the store".to_owned(),
        Event::HousekeepingFailed { why } => format!("housekeeping failed, and is tried again: {why}"),
        Event::Stopping => "stopping".to_owned(),
    };
    say(format_args!("{text}"));
}

fn of_fleet(event: FleetEvent) -> String {
    match event {
        FleetEvent::Joined { host } => format!("host {host} joined"),
        FleetEvent::Connected { host, address, version } => {
            format!("host {host} is connected from {address} (version {version})")
        }
        FleetEvent::Replaced { host } => {
            format!("host {host} connected again; its first connection was ended")
        }
        FleetEvent::Lost { host, why } => format!("host {host} is no longer connected: {why}"),
        FleetEvent::Refused { address, why } => {
            let from =
                address.map_or_else(|| "an agent".to_owned(), |address| format!("an agent at {address}"));
            format!("{from} was not let in: {why}")
        }
        FleetEvent::Applied { host, revision } => format!("host {host} has revision {revision} in force"),
        FleetEvent::PolicyRefused { host, revision, why } => {
            format!("host {host} does not put revision {revision} in force: {why}")
        }
        FleetEvent::Differs { host, revision } => {
            format!(
                "host {host} has other documents of revision {revision} than it should; they are sent again"
            )
        }
        FleetEvent::TooLarge { host, why } => format!("host {host} keeps what it has: {why}"),
        FleetEvent::InventoryRefused { host, why } => {
            format!("what host {host} tells of its interfaces is not kept: {why}")
        }
        FleetEvent::FlowsNotKept { host, why } => {
            format!("flow records of host {host} wait: {why}")
        }
        FleetEvent::FlowsLost { host, count, by } => {
            format!("host {host} has lost {count} flow records (by its {by})")
        }
        FleetEvent::FlowsRefused { host, why } => {
            format!("flow records of host {host} are left out: {why}")
        }
        FleetEvent::Rivals { nic, hosts } => {
            let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            format!(
                "several hosts have an interface of {nic}: {} (its tag palisade-host names one)",
                hosts.join(", ")
            )
        }
    }
}

/// A reader of the log that went away must not end the server, so what cannot be said is left unsaid.
pub fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
