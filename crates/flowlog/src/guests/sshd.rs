//! What sshd says of logons, message by message.
//!
//! A name is whatever a client sends and may hold what looks like an address; sshd's own words come after it, so a message is read from its end.
//! One attempt may be said of several times: a connection that is closed counts as a failure only if none was said of it. Keys
//! that are not taken are no guesses: clients offer all they have. Messages: OpenSSH, `auth.c` and `packet.c`.

use std::{collections::VecDeque, net::IpAddr};

use palisade_guard::{GuestTold, LogonOutcome, Service};

/// Connections that are remembered to have had a failure.
const FAILED_MAX: usize = 4_096;
/// Times that one line may stand for.
const REPEATED_MAX: usize = 1_000;

/// Reads the messages of one log.
#[derive(Debug, Default)]
pub(super) struct Messages {
    failed: VecDeque<(IpAddr, u16)>,
}

impl Messages {
    /// What a message tells, and how often; `None` of messages about something else.
    pub(super) fn told(&mut self, message: &str) -> Option<(GuestTold, usize)> {
        let message = message.trim_end();
        let (message, times) = repeated(message).unwrap_or((message, 1));
        let (account, end, outcome) = match message.split_once(' ')? {
            ("Failed", rest) => {
                let (account, end) = attempt(
                    rest.strip_prefix(
                        ["password for ", "keyboard-interactive/pam for "]
                            .into_iter()
                            .find(|method| rest.starts_with(method))?,
                    )?,
                )?;
                self.remember(end);
                (account, end, LogonOutcome::Failed)
            }
            ("Accepted", rest) => {
                let (account, end) = attempt(rest.split_once(" for ")?.1)?;
                (account, end, LogonOutcome::Succeeded)
            }
            _ => {
                let (account, end) = closed(message)?;
                if self.failed.contains(&end) {
                    return None;
                }
                (account, end, LogonOutcome::Failed)
            }
        };
        let (account, source) = (Some(account.to_owned()), Some(end.0));
        Some((GuestTold::Logon { service: Service::Ssh, account, source, outcome }, times))
    }

    fn remember(&mut self, end: (IpAddr, u16)) {
        if self.failed.contains(&end) {
            return;
        }
        if self.failed.len() >= FAILED_MAX {
            self.failed.pop_front();
        }
        self.failed.push_back(end);
    }
}

/// `message repeated 5 times: [ Failed password for ...]`, as rsyslog shortens it.
fn repeated(message: &str) -> Option<(&str, usize)> {
    let (times, rest) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
    Some((rest.strip_suffix(']')?.trim(), times.parse::<usize>().ok()?.min(REPEATED_MAX)))
}

/// `[invalid user ]NAME from ADDRESS port PORT ssh2...`
fn attempt(text: &str) -> Option<(&str, (IpAddr, u16))> {
    let (name, end) = text.rsplit_once(" from ")?;
    let mut words = end.split(' ');
    let address = address(words.next()?)?;
    let port = if words.next() == Some("port") { words.next()?.parse().ok()? } else { return None };
    Some((name.strip_prefix("invalid user ").unwrap_or(name), (address, port)))
}

/// `Connection closed by invalid user NAME ADDRESS port PORT [preauth]`, and its kind.
fn closed(message: &str) -> Option<(&str, (IpAddr, u16))> {
    const BEGINNINGS: [&str; 3] = ["Connection closed by ", "Connection reset by ", "Disconnected from "];
    let rest =
        BEGINNINGS.into_iter().find_map(|start| message.strip_prefix(start))?.strip_suffix(" [preauth]")?;
    let rest = rest.strip_prefix("invalid user ").or_else(|| rest.strip_prefix("authenticating user "))?;
    let mut words = rest.rsplitn(4, ' ');
    let port = words.next()?.parse().ok()?;
    if words.next()? != "port" {
        return None;
    }
    let address = address(words.next()?)?;
    Some((words.next()?, (address, port)))
}

/// An address as sshd writes it, which may have a zone.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What messages tell: the account, the address, whether somebody is in, and how often.
    fn told(messages: &[&str]) -> Vec<String> {
        let mut reader = Messages::default();
        let short = |(told, times): (GuestTold, usize)| match told {
            GuestTold::Logon { account, source, outcome, .. } => {
                let (account, source) = (account.expect("a name"), source.expect("an address"));
                format!("{account} {source} {outcome:?} {times}")
            }
            GuestTold::Knock { .. } => panic!("sshd tells of no knocks"),
        };
        messages.iter().filter_map(|message| reader.told(message)).map(short).collect()
    }

    #[test]
    fn logons() {
        let cases: &[(&str, &str)] = &[
            ("Failed password for root from 203.0.113.7 port 4022 ssh2", "root 203.0.113.7 Failed 1"),
            (
                "Failed password for invalid user admin from 2001:db8::1 port 22 ssh2",
                "admin 2001:db8::1 Failed 1",
            ),
            (
                "Failed keyboard-interactive/pam for bob from ::ffff:10.0.0.1 port 9 ssh2",
                "bob 10.0.0.1 Failed 1",
            ),
            ("Accepted password for root from 203.0.113.7 port 4022 ssh2", "root 203.0.113.7 Succeeded 1"),
            (
                "Accepted publickey for bob from 10.0.0.9 port 4 ssh2: ED25519 SHA256:abc",
                "bob 10.0.0.9 Succeeded 1",
            ),
            (
                "message repeated 3 times: [ Failed password for root from 203.0.113.7 port 4022 ssh2]",
                "root 203.0.113.7 Failed 3",
            ),
            ("Connection closed by invalid user x 203.0.113.8 port 5 [preauth]", "x 203.0.113.8 Failed 1"),
            (
                "Disconnected from authenticating user root 203.0.113.8 port 6 [preauth]",
                "root 203.0.113.8 Failed 1",
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(told(&[message]), [*expected], "{message}");
        }
    }

    #[test]
    fn a_name_cannot_blame_somebody_else() {
        let message =
            "Failed password for invalid user root from 10.0.0.1 port 22 ssh2 from 203.0.113.7 port 9 ssh2";
        assert_eq!(told(&[message]), ["root from 10.0.0.1 port 22 ssh2 203.0.113.7 Failed 1"]);
    }

    #[test]
    fn one_attempt_is_one() {
        let life = [
            "Invalid user admin from 203.0.113.7 port 4022",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7",
            "Failed password for invalid user admin from 203.0.113.7 port 4022 ssh2",
            "Failed publickey for invalid user admin from 203.0.113.7 port 4022 ssh2",
            "Connection closed by invalid user admin 203.0.113.7 port 4022 [preauth]",
            "Server listening on 0.0.0.0 port 22.",
        ];
        assert_eq!(told(&life), ["admin 203.0.113.7 Failed 1"]);
    }
}
