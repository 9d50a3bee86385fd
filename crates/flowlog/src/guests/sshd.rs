//! What sshd says of logons, message by message, and what dropbear does ([`dropbear`]).
//!
//! A name is whatever a client sends and may hold what looks like an address; sshd's own words come after it, so a message is read from its end.
//! One attempt is said of several times, in an order: that there is no such user, or that the user may not come in; that PAM refused; that the attempt
//! failed; that the connection was closed. What comes later in it says the same once more. Keys
//! that are not taken are no guesses: clients offer all they have, unless nobody is there who could have one. Where `UseDNS` is on, messages have
//! names instead of addresses: the source is not known then. Messages: OpenSSH, `auth.c`, `auth-pam.c` and `packet.c`.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    path::Path,
};

use palisade_guard::{GuestTold, LogonOutcome, Service};

use super::dropbear;

/// Connections of which something is remembered.
const FAILED_MAX: usize = 4_096;
/// What is said of a connection that tried too often, be it with keys.
const EXCEEDED: &str = "maximum authentication attempts exceeded for ";
/// Times that one line may stand for.
pub(super) const REPEATED_MAX: usize = 1_000;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Sshd,
    Dropbear,
}

impl Program {
    /// The program of a name or a path; `None` of others.
    pub(super) fn of(program: &str) -> Option<Self> {
        let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
        match name {
            // Since version 9.8 a session is a program of its own.
            "sshd" | "sshd-session" | "sshd-auth" => Some(Self::Sshd),
            "dropbear" => Some(Self::Dropbear),
            _ => None,
        }
    }
}

/// How far an attempt has come that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// There is no such user, or one that may not come in.
    Announced,
    /// By PAM, in a conversation.
    Refused,
    Failed,
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'m> {
    /// Somebody has come; nothing is tried yet.
    Came(End<'m>),
    /// An attempt failed.
    Attempt(Stage, End<'m>),
    /// The connection failed; an attempt, if none was said of.
    Connection(End<'m>),
    /// Somebody is in.
    In(End<'m>),
}

/// Who tried, and from where: the word that stands for the address, which is empty if it is not told, and the port if it is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End<'m> {
    pub(super) account: &'m str,
    pub(super) host: &'m str,
    pub(super) port: Option<u16>,
}

/// What is remembered of a connection.
#[derive(Debug, Default)]
struct Seen {
    /// How far an attempt has come.
    stage: Option<Stage>,
    /// From where it is, where that is told only once.
    host: String,
}

/// Reads the messages of one log.
#[derive(Debug, Default)]
pub(super) struct Messages {
    failed: HashMap<String, Seen>,
    /// The same connections, the oldest first.
    order: VecDeque<String>,
}

impl Messages {
    /// What a message of a process tells that came so often, and how often; `None` of messages about something else. `process` is its machine and its number, or
    /// the machine alone where lines have no numbers.
    pub(super) fn told(
        &mut self,
        program: Program,
        process: (&str, Option<&str>),
        message: &str,
        times: usize,
    ) -> Option<(GuestTold, usize)> {
        let (message, within) = repeated(message.trim_end()).unwrap_or((message.trim_end(), 1));
        let times = times.saturating_mul(within).min(REPEATED_MAX);
        let said = match program {
            Program::Sshd => Said::of(solaris(message))?,
            Program::Dropbear => dropbear::said(message)?,
        };
        let (Said::Came(end) | Said::Attempt(_, end) | Said::Connection(end) | Said::In(end)) = &said;
        let connection = match process {
            (machine, Some(number)) => format!("{machine} {number}"),
            (machine, None) => format!("{machine} {} {}", end.host, end.port.unwrap_or_default()),
        };
        let seen = self.failed.get(&connection);
        let before = seen.and_then(|seen| seen.stage);
        let host = if end.host.is_empty() { seen.map_or("", |seen| &seen.host) } else { end.host };
        let (account, source) = (Some(end.account.to_owned()), address(host));
        let outcome = match said {
            Said::Came(end) => {
                self.remember(connection).host = end.host.to_owned();
                return None;
            }
            Said::Attempt(stage, _) => {
                self.remember(connection).stage = Some(stage);
                if times == 1 && before.is_some_and(|before| before < stage) {
                    return None;
                }
                LogonOutcome::Failed
            }
            Said::Connection(_) if before.is_some() => return None,
            Said::Connection(_) => {
                self.remember(connection).stage = Some(Stage::Failed);
                LogonOutcome::Failed
            }
            Said::In(_) => LogonOutcome::Succeeded,
        };
        Some((GuestTold::Logon { service: Service::Ssh, account, source, outcome }, times))
    }

    /// What is remembered of a connection, which is from now on.
    fn remember(&mut self, connection: String) -> &mut Seen {
        if !self.failed.contains_key(&connection) {
            self.order.push_back(connection.clone());
            if self.order.len() > FAILED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.failed.remove(&oldest);
            }
        }
        self.failed.entry(connection).or_default()
    }
}

/// `message repeated 5 times: [ Failed password for ...]`, as rsyslog shortens it.
fn repeated(message: &str) -> Option<(&str, usize)> {
    let (times, rest) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
    Some((rest.strip_suffix(']')?.trim(), times.parse::<usize>().ok()?.min(REPEATED_MAX)))
}

/// Solaris puts a number in front of each message.
fn solaris(message: &str) -> &str {
    message.strip_prefix("[ID ").and_then(|rest| rest.split_once("] ")).map_or(message, |(_, rest)| rest)
}

impl<'m> Said<'m> {
    fn of(message: &'m str) -> Option<Self> {
        let (first, rest) = message.split_once(' ')?;
        match first {
            "Failed" => {
                let (method, rest) = rest.split_once(" for ")?;
                let asks = method == "password" || method.starts_with("keyboard-interactive");
                let end = End::behind(rest)?;
                match asks {
                    true => Some(Self::Attempt(Stage::Failed, end)),
                    false if rest.starts_with("invalid user ") => Some(Self::Connection(end)),
                    false => None,
                }
            }
            // A name that got in is one of the system's; what follows may be a client's words.
            "Accepted" => {
                let (account, end) = rest.split_once(" for ")?.1.split_once(" from ")?;
                End::of(account, end).map(Self::In)
            }
            "Invalid" | "Illegal" => {
                End::behind(rest.strip_prefix("user ")?).map(|end| Self::Attempt(Stage::Announced, end))
            }
            "User" => {
                let (account, end) = rest.rsplit_once(" not allowed because ")?.0.rsplit_once(" from ")?;
                End::of(account, end).map(|end| Self::Attempt(Stage::Announced, end))
            }
            "error:" if rest.starts_with(EXCEEDED) => {
                End::behind(&rest[EXCEEDED.len()..]).map(Self::Connection)
            }
            "error:" => {
                let (why, rest) = rest.strip_prefix("PAM: ")?.split_once(" for ")?;
                let is_refusal = why.to_ascii_lowercase().starts_with("authentication ")
                    || why.starts_with("User not known to the underlying");
                let end = End::behind(rest).filter(|_| is_refusal)?;
                Some(Self::Attempt(Stage::Refused, end))
            }
            _ => closed(message).map(Self::Connection),
        }
    }
}

impl<'m> End<'m> {
    /// `[invalid user ]NAME from HOST[ port PORT][ ssh2...]`
    fn behind(text: &'m str) -> Option<Self> {
        let (account, end) =
            text.strip_prefix("from ").map_or_else(|| text.rsplit_once(" from "), |end| Some(("", end)))?;
        let invalid =
            ["invalid user ", "illegal user "].into_iter().find_map(|start| account.strip_prefix(start));
        Self::of(invalid.unwrap_or(account), end)
    }

    fn of(account: &'m str, end: &'m str) -> Option<Self> {
        let mut words = end.split(' ');
        let host = words.next().filter(|host| !host.is_empty())?;
        let port = if words.next() == Some("port") { words.next()?.parse().ok() } else { None };
        Some(Self { account, host, port })
    }
}

/// `Connection closed by invalid user NAME ADDRESS port PORT [preauth]`, and its kind.
fn closed(message: &str) -> Option<End<'_>> {
    const BEGINNINGS: [&str; 3] = ["Connection closed by ", "Connection reset by ", "Disconnected from "];
    let rest =
        BEGINNINGS.into_iter().find_map(|start| message.strip_prefix(start))?.strip_suffix(" [preauth]")?;
    let rest = rest.strip_prefix("invalid user ").or_else(|| rest.strip_prefix("authenticating user "))?;
    let mut words = rest.rsplitn(4, ' ');
    let port = words.next()?.parse().ok()?;
    if words.next()? != "port" {
        return None;
    }
    let host = words.next()?;
    Some(End { account: words.next()?, host, port: Some(port) })
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
        told_by(Some("812"), messages)
    }

    fn told_by(process: Option<&str>, messages: &[&str]) -> Vec<String> {
        let mut reader = Messages::default();
        let short = |(told, times): (GuestTold, usize)| match told {
            GuestTold::Logon { account, source, outcome, .. } => {
                let account = account.expect("a name");
                let source = source.map_or_else(|| "somewhere".to_owned(), |source| source.to_string());
                format!("{account} {source} {outcome:?} {times}")
            }
            GuestTold::Knock { .. } => panic!("sshd tells of no knocks"),
        };
        let mut tell = |message: &&str| reader.told(Program::Sshd, ("web1", process), message, 1);
        messages.iter().filter_map(&mut tell).map(short).collect()
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
            ("Failed keyboard-interactive for bob from 10.0.0.1", "bob 10.0.0.1 Failed 1"),
            ("[ID 800047 auth.info] Failed password for bob from 10.0.0.1 port 9", "bob 10.0.0.1 Failed 1"),
            ("Invalid user  from 203.0.113.7 port 9", " 203.0.113.7 Failed 1"),
            (
                "User root from 203.0.113.7 not allowed because not listed in AllowUsers",
                "root 203.0.113.7 Failed 1",
            ),
            (
                "error: PAM: Authentication failure for root from 203.0.113.7 via 10.0.0.4",
                "root 203.0.113.7 Failed 1",
            ),
            (
                "error: maximum authentication attempts exceeded for root from 203.0.113.7 port 9 ssh2 [preauth]",
                "root 203.0.113.7 Failed 1",
            ),
            ("Failed password for root from pool-7.example port 9 ssh2", "root somewhere Failed 1"),
            (
                "Accepted hostbased for bob from 10.0.0.9 port 4 ssh2: RSA SHA256:abc, client user \"x from 10.0.0.1 port 4\"",
                "bob 10.0.0.9 Succeeded 1",
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
        let once = ["admin 203.0.113.7 Failed 1"];
        assert_eq!(told(&life), once);
        assert_eq!(told_by(None, &life), once, "lines without a process");
        assert_eq!(told(&[&life[..1], &life[4..]].concat()), once, "who gave up before a password");
        let twice = [life[0], life[2], life[2], life[4]];
        assert_eq!(told(&twice), [once, once].concat());
        let conversation = [
            "error: PAM: Authentication error for root from 203.0.113.7",
            "Failed keyboard-interactive/pam for root from 203.0.113.7 port 4022 ssh2",
            "error: PAM: Authentication error for root from 203.0.113.7",
            "Connection closed by authenticating user root 203.0.113.7 port 4022 [preauth]",
        ];
        assert_eq!(told(&conversation), ["root 203.0.113.7 Failed 1"; 2]);
    }

    #[test]
    fn what_is_no_attempt() {
        let none = [
            "Failed publickey for bob from 10.0.0.1 port 9 ssh2: RSA SHA256:abc",
            "Connection closed by 10.0.0.1 port 9 [preauth]",
            "User root not allowed because account is locked",
            "error: PAM: Module is unknown for bob from 10.0.0.1",
            "Address 10.0.0.1 maps to a.example, but this does not map back to the address",
            "Did not receive identification string from 10.0.0.1 port 9",
        ];
        assert_eq!(told(&none), [""; 0]);
    }
}
