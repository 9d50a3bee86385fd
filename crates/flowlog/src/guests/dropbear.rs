//! What dropbear says of logons, message by message.
//!
//! Names are in quotes and the address follows at the end, with the port behind a colon, also of IPv6. That there is no such user is said once in a connection, without the name and, in some
//! versions, without the address, which then stands in what was said when the connection came. Messages: dropbear 0.52 to 2024, `svr-auth*.c` and `svr-session.c`.

use super::sshd::{End, Said, Stage};

/// What a message says; `None` if it is about something else.
pub(super) fn said(message: &str) -> Option<Said<'_>> {
    // Old versions begin with a small letter.
    let begins = |start: &str| {
        let (own, rest) = message.split_at_checked(start.len())?;
        own.eq_ignore_ascii_case(start).then_some(rest)
    };
    if let Some(rest) = begins("Child connection from ") {
        return of("", rest).map(Said::Came);
    }
    if let Some(rest) = begins("Login attempt for nonexistent user") {
        let (name, rest) = rest.rsplit_once("from ").unwrap_or(("", rest));
        let end = if rest.is_empty() {
            Some(End { account: "", host: "", port: None })
        } else {
            of(unquoted(name), rest)
        };
        return end.map(|end| Said::Attempt(Stage::Announced, end));
    }
    for start in ["Bad password attempt for ", "Bad PAM password attempt for "] {
        if let Some(rest) = begins(start) {
            return named(rest).map(|end| Said::Attempt(Stage::Failed, end));
        }
    }
    for start in [
        "Password auth succeeded for ",
        "PAM password auth succeeded for ",
        "Auth succeeded with blank password for ",
    ] {
        if let Some(rest) = begins(start) {
            return named(rest).map(Said::In);
        }
    }
    if let Some(rest) = begins("Pubkey auth succeeded for '") {
        // What stands between is a key, whose name has no quotes.
        let (account, rest) = rest.rsplit_once("' with ")?;
        return of(account, rest.rsplit_once(" from ")?.1).map(Said::In);
    }
    begins("Exit before auth").and_then(ended).map(Said::Connection)
}

/// `'NAME' from ADDRESS:PORT`, and nothing behind it.
fn named(text: &str) -> Option<End<'_>> {
    let (name, rest) = text.rsplit_once(" from ")?;
    of(unquoted(name), rest)
}

/// `[ from <ADDRESS:PORT>][:] (user 'NAME', 2 fails): WHY[ - user 'NAME' from ADDRESS:PORT]`; a connection that named nobody tried nothing.
fn ended(text: &str) -> Option<End<'_>> {
    let (before, rest) = text.split_once("(user '")?;
    let (account, why) = rest.split_once("', ")?;
    let inside = before.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(place, _)| place);
    let behind = || why.rsplit_once(" from ").map(|(_, place)| place);
    match inside.or_else(behind) {
        Some(place) => of(account, place),
        None => Some(End { account, host: "", port: None }),
    }
}

/// `ADDRESS:PORT`
fn of<'m>(account: &'m str, place: &'m str) -> Option<End<'m>> {
    let (host, port) = place.trim_end().rsplit_once(':')?;
    let port = port.parse().ok()?;
    Some(End { account, host, port: Some(port) })
}

fn unquoted(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use palisade_guard::{GuestTold, LogonOutcome};

    use super::super::sshd::{Messages, Program};

    /// Who is told to have failed (-) or come in (+), and from where.
    fn told(messages: &[&str]) -> Vec<String> {
        let mut reader = Messages::default();
        let tell = |message: &&str| reader.told(Program::Dropbear, ("router", Some("812")), message, 1);
        let short = |(told, _): (GuestTold, usize)| {
            let GuestTold::Logon { account, source, outcome, .. } = told else { panic!("no logon") };
            let sign = if outcome == LogonOutcome::Failed { '-' } else { '+' };
            format!(
                "{sign}{} {}",
                account.unwrap_or_default(),
                source.map_or_else(String::new, |source| source.to_string())
            )
        };
        messages.iter().filter_map(tell).map(short).collect()
    }

    #[test]
    fn logons() {
        for (message, expected) in [
            ("Bad password attempt for 'root' from 203.0.113.7:4022", "-root 203.0.113.7"),
            ("bad password attempt for 'root' from ::ffff:203.0.113.7:4022", "-root 203.0.113.7"),
            ("Bad PAM password attempt for 'root' from 2001:db8::1:22", "-root 2001:db8::1"),
            ("Password auth succeeded for 'root' from 203.0.113.7:4022", "+root 203.0.113.7"),
            ("Auth succeeded with blank password for 'root' from 203.0.113.7:9", "+root 203.0.113.7"),
            (
                "Pubkey auth succeeded for 'bob' with ssh-ed25519 key SHA256:abc from 10.0.0.9:4",
                "+bob 10.0.0.9",
            ),
            ("Pubkey auth succeeded for 'bob' with key md5 0a:1b from 10.0.0.9:4", "+bob 10.0.0.9"),
            ("login attempt for nonexistent user 'x' from 203.0.113.7:9", "-x 203.0.113.7"),
            ("Login attempt for nonexistent user from 203.0.113.7:9", "- 203.0.113.7"),
            ("Login attempt for nonexistent user", "- "),
            (
                "Exit before auth from <203.0.113.7:9>: (user 'root', 0 fails): Exited normally",
                "-root 203.0.113.7",
            ),
            (
                "exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root' from 203.0.113.7:9",
                "-root 203.0.113.7",
            ),
            (
                "Bad password attempt for 'a' from 10.0.0.1:22' from 203.0.113.7:9",
                "-a' from 10.0.0.1:22 203.0.113.7",
            ),
        ] {
            assert_eq!(told(&[message]), [expected], "{message}");
        }
    }

    #[test]
    fn one_attempt_is_one() {
        let bad = "Bad password attempt for 'root' from 203.0.113.7:4022";
        let exit = "Exit before auth from <203.0.113.7:4022>: (user 'root', 2 fails): Exited normally";
        assert_eq!(
            told(&["Child connection from 203.0.113.7:4022", bad, bad, exit]),
            ["-root 203.0.113.7"; 2]
        );
        let life = [
            "Child connection from 203.0.113.7:4022",
            "Login attempt for nonexistent user",
            "Exit before auth from <203.0.113.7:4022>: Exited normally",
        ];
        assert_eq!(told(&life), ["- 203.0.113.7"], "as dropbear 2022.83 says of two passwords");
        let shell = [
            "Child connection from 203.0.113.7:4022",
            "User 'games' has invalid shell, rejected",
            "Exit before auth from <203.0.113.7:4022>: (user 'games', 2 fails): Exited normally",
        ];
        assert_eq!(told(&shell), ["-games 203.0.113.7"]);
    }

    #[test]
    fn what_is_no_attempt() {
        let none = [
            "Child connection from 203.0.113.7:4022",
            "Exit before auth from <203.0.113.7:4022>: Exited normally",
            "Exit before auth: Timeout before auth",
            "Exit (root) from <203.0.113.7:4022>: Disconnect received",
            "Password auth succeeded for 'root' from 203.0.113.7:9, extra auth required",
            "Pubkey auth bad signature for 'root' with key x from 203.0.113.7:9",
            "Running in background",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ];
        assert_eq!(told(&none), [""; 0]);
    }
}
