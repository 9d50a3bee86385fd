//! Windows event logs (evtx): logons of Security, connections and refusals of RdpCoreTS, sshd and SQL Server.
//!
//! Read are 4625 and 4624 of types 3, 8 and 10 (network, clear text, remote desktop), 131 and 140 of RdpCoreTS, 4 of OpenSSH, and 18456 of SQL
//! Server. Under network level authentication 4625 has no address and is of type 3; no other service hides it, so that such
//! a logon is taken for one by remote desktop. Names of accounts are compared without case or domain. It must not look for an address
//! elsewhere.

use std::net::{IpAddr, SocketAddr};

use palisade_guard::{GuestEvent, GuestTold, LogonOutcome, Service};

use super::{
    binxml::Event,
    event_log,
    sshd::{Messages, Program},
};

/// Why a logon fails that may be a guess: wrong password, no such user, locked, disabled, or just failed.
const GUESSES: [&str; 5] = ["0xc000006a", "0xc0000064", "0xc0000234", "0xc0000072", "0xc000006d"];

/// Gives what the records tell; `bad` is told what cannot be read, `other` of records about something else.
pub(crate) fn read(
    bytes: &[u8],
    mut give: impl FnMut(GuestEvent),
    mut other: impl FnMut(),
    mut bad: impl FnMut(u64, String),
) {
    let mut messages = Messages::default();
    event_log::records(bytes, |record| match record.event {
        Ok(event) => match told(&event, &mut messages) {
            Some((machine, what)) => give(GuestEvent { time_ms: record.time_ms, machine, what }),
            None => other(),
        },
        Err(why) => bad(record.number, format!("record {} cannot be read: {why}", record.number)),
    });
}

/// The machine and what it tells; `None` of events about something else.
fn told(event: &Event, messages: &mut Messages) -> Option<(String, GuestTold)> {
    let what = match (event.provider()?, event.element("EventID")?.parse::<u32>().ok()?) {
        ("Microsoft-Windows-Security-Auditing", 4_625) => failed(event)?,
        ("Microsoft-Windows-Security-Auditing", 4_624) => succeeded(event)?,
        // Datagrams are a second way of a session that is there.
        ("Microsoft-Windows-RemoteDesktopServices-RdpCoreTS", 131)
            if event.data("ConnType") != Some("UDP") =>
        {
            GuestTold::Knock { service: Service::Rdp, source: address(event, "ClientIP")? }
        }
        ("Microsoft-Windows-RemoteDesktopServices-RdpCoreTS", 140) => {
            let source = Some(address(event, "IPString").or_else(|| address(event, "ClientIP"))?);
            GuestTold::Logon { service: Service::Rdp, account: None, source, outcome: LogonOutcome::Failed }
        }
        ("OpenSSH", 4) => {
            let machine = event.element("Computer").unwrap_or_default();
            messages.told(Program::Sshd, (machine, None), event.data("payload")?, 1)?.0
        }
        (name, 18_456) if name.starts_with("MSSQL") => sql(event)?,
        _ => return None,
    };
    Some((event.element("Computer")?.to_owned(), what))
}

impl Event {
    pub(super) fn provider(&self) -> Option<&str> {
        Some(self.fields.iter().find(|field| field.name == "Provider")?.attribute.as_str())
    }

    /// The text of an element.
    pub(super) fn element(&self, name: &str) -> Option<&str> {
        Some(self.fields.iter().find(|field| field.name == name)?.texts.first()?.trim())
    }

    /// The text of a named field.
    pub(super) fn data(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == "Data" && field.attribute == name)?;
        Some(field.texts.first()?.trim())
    }
}

fn failed(event: &Event) -> Option<GuestTold> {
    let service = service(event)?;
    let reason = |name: &str| event.data(name).map(str::to_ascii_lowercase).filter(|code| code != "0x0");
    let reason = reason("SubStatus").or_else(|| reason("Status"))?;
    let (account, source) = (event.data("TargetUserName").and_then(account), address(event, "IpAddress"));
    let is_known = account.is_some() || source.is_some();
    let outcome = LogonOutcome::Failed;
    let is_guess = is_known && GUESSES.contains(&reason.as_str());
    is_guess.then_some(GuestTold::Logon { service, account, source, outcome })
}

fn succeeded(event: &Event) -> Option<GuestTold> {
    let service = service(event)?;
    let account = event.data("TargetUserName").and_then(account)?;
    // Machines and the system itself log on all the time.
    let is_person = !account.ends_with('$') && !matches!(account.as_str(), "system" | "anonymous logon");
    let source = address(event, "IpAddress");
    let (account, outcome) = (Some(account), LogonOutcome::Succeeded);
    is_person.then_some(GuestTold::Logon { service, account, source, outcome })
}

/// By which service a logon came, by its type and process.
fn service(event: &Event) -> Option<Service> {
    let process = event.data("ProcessName").unwrap_or_default().to_ascii_lowercase();
    match event.data("LogonType")? {
        "3" | "8" if process.ends_with("sshd.exe") => Some(Service::Ssh),
        "10" => Some(Service::Rdp),
        "3" if address(event, "IpAddress").is_none() => Some(Service::Rdp),
        "3" | "8" => Some(Service::Smb),
        _ => None,
    }
}

/// `Login failed for user 'sa'. Reason: ... [CLIENT: 10.0.0.9]`, in parts without names.
fn sql(event: &Event) -> Option<GuestTold> {
    let parts = || {
        let data = event.fields.iter().filter(|field| field.name == "Data" && field.attribute.is_empty());
        data.flat_map(|field| &field.texts).map(|text| text.trim())
    };
    let client = parts().find_map(|part| part.strip_prefix("[CLIENT: "))?.strip_suffix(']')?;
    let source = client.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let account = parts().next().and_then(account);
    Some(GuestTold::Logon { service: Service::Sql, account, source, outcome: LogonOutcome::Failed })
}

/// A name without its domain, in lower case.
fn account(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let name = name.rsplit_once('\\').map_or(name.as_str(), |(_, name)| name);
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    (!name.is_empty() && name != "-").then(|| name.to_owned())
}

/// An address, with a port behind it or without.
pub(super) fn address(event: &Event, name: &str) -> Option<IpAddr> {
    let text = event.data(name)?;
    let with_port = text.parse::<SocketAddr>().ok().map(|end| end.ip());
    let address = with_port.or_else(|| text.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::{super::binxml::Field, *};

    fn field(name: &str, attribute: &str, texts: &[&str]) -> Field {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        Field { name: name.to_owned(), attribute: attribute.to_owned(), texts }
    }

    /// What an event tells, in short.
    fn short(provider: &str, id: &str, data: &[(&str, &str)]) -> Option<String> {
        let mut fields = vec![
            field("Provider", provider, &[]),
            field("EventID", "", &[id]),
            field("Computer", "", &["web1"]),
        ];
        fields.extend(data.iter().map(|(name, value)| field("Data", name, &[value])));
        told_short(&Event { fields })
    }

    fn told_short(event: &Event) -> Option<String> {
        let (machine, what) = told(event, &mut Messages::default())?;
        assert_eq!(machine, "web1");
        Some(match what {
            GuestTold::Logon { service, account, source, outcome } => {
                let source = source.map_or_else(|| "-".to_owned(), |address| address.to_string());
                format!("{service} {} {source} {outcome:?}", account.unwrap_or_else(|| "-".to_owned()))
            }
            GuestTold::Knock { service, source } => format!("{service} knock {source}"),
        })
    }

    fn logon(id: &str, kind: &str, address: &str, reason: &str) -> Option<String> {
        let data = [
            ("TargetUserName", "OFFSEC\\Admin"),
            ("LogonType", kind),
            ("IpAddress", address),
            ("SubStatus", reason),
            ("Status", "0xc000006d"),
        ];
        short("Microsoft-Windows-Security-Auditing", id, &data)
    }

    #[test]
    fn logons_of_security() {
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(logon("4625", "3", "203.0.113.7", "0xC000006A"), is("SMB admin 203.0.113.7 Failed"));
        assert_eq!(
            logon("4625", "3", "-", "0xc000006a"),
            is("RDP admin - Failed"),
            "network level authentication"
        );
        assert_eq!(logon("4625", "10", "203.0.113.7", "0x0"), is("RDP admin 203.0.113.7 Failed"));
        assert_eq!(logon("4625", "10", "203.0.113.7", "0xc000015b"), None, "the password was right");
        assert_eq!(logon("4625", "2", "-", "0xc000006a"), None, "at the console");
        assert_eq!(logon("4624", "10", "::ffff:203.0.113.7", ""), is("RDP admin 203.0.113.7 Succeeded"));
        assert_eq!(logon("4624", "5", "-", ""), None, "a service");
    }

    #[test]
    fn other_sources() {
        let is = |text: &str| Some(text.to_owned());
        let core = "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS";
        assert_eq!(short(core, "131", &[("ClientIP", "203.0.113.7:36160")]), is("RDP knock 203.0.113.7"));
        assert_eq!(short(core, "131", &[("ClientIP", "[2001:db8::1]:36160")]), is("RDP knock 2001:db8::1"));
        assert_eq!(short(core, "131", &[("ConnType", "UDP"), ("ClientIP", "203.0.113.7:36160")]), None);
        assert_eq!(short(core, "140", &[("IPString", "203.0.113.7")]), is("RDP - 203.0.113.7 Failed"));
        let payload = [("payload", "Failed password for bob from 10.23.23.9 port 56605 ssh2")];
        assert_eq!(short("OpenSSH", "4", &payload), is("SSH bob 10.23.23.9 Failed"));
        let sql = Event {
            fields: vec![
                field("Provider", "MSSQL$RADAR", &[]),
                field("EventID", "", &["18456"]),
                field("Computer", "", &["web1"]),
                field("Data", "", &["sa", " Reason: no.", " [CLIENT: 10.23.23.9]"]),
            ],
        };
        assert_eq!(told_short(&sql), is("SQL sa 10.23.23.9 Failed"));
        assert_eq!(short("Else", "4625", &[]), None);
    }
}
