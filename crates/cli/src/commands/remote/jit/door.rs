//! Ports and times as one writes them on the command line.

use std::fmt;

/// A port, perhaps with its protocol: `3389`, `53/udp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub number: u16,
    pub protocol: Option<String>,
}

/// Reads a port.
pub fn port(text: &str) -> Result<Port, String> {
    let (number, protocol) = match text.split_once('/') {
        None => (text, None),
        Some((number, protocol)) => (number, Some(protocol.to_ascii_lowercase())),
    };
    let protocol = match protocol.as_deref() {
        None => None,
        Some("tcp") => Some("TCP".to_owned()),
        Some("udp") => Some("UDP".to_owned()),
        Some("any" | "*") => Some("*".to_owned()),
        Some(other) => return Err(format!("protocol {other:?} is none of tcp, udp, any")),
    };
    let number = number.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| format!("{text:?} is no port (write 3389 or 53/udp)"))?;
    Ok(Port { number, protocol })
}

/// A length of time, in seconds. Prints as ISO 8601, which the server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(u32);

impl Time {
    /// Its seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PT")?;
        let parts = [(self.0 / 3_600, 'H'), (self.0 / 60 % 60, 'M'), (self.0 % 60, 'S')];
        parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

/// Reads a length of time: `90s`, `30m`, `1h`, `1h30m`, `1d`.
pub fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is no length of time (write 30m, 1h or 1h30m)");
    let (mut total, mut rest) = (0_u32, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let unit = match rest[digits..].chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(wrong()),
        };
        let count: u32 = rest[..digits].parse().map_err(|_| wrong())?;
        total = count.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if total == 0 { Err(wrong()) } else { Ok(Time(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_times_are_read_and_nothing_else_is() {
        let of = |number, protocol: Option<&str>| Ok(Port { number, protocol: protocol.map(str::to_owned) });
        assert_eq!(port("3389"), of(3389, None));
        assert_eq!(port("53/UDP"), of(53, Some("UDP")));
        for wrong in ["", "0", "65536", "22/icmp", "ssh", "22/"] {
            assert!(port(wrong).is_err(), "{wrong}");
        }
        let told = |text: &str| time(text).map(|time| time.to_string());
        for (text, iso) in
            [("1h30m", "PT1H30M"), ("90s", "PT1M30S"), ("3h", "PT3H"), ("1d", "PT24H"), ("59s", "PT59S")]
        {
            assert_eq!(told(text), Ok(iso.to_owned()), "{text}");
        }
        for wrong in ["", "1", "h", "0m", "-1h", "1w", "5000000000s", "2000000h", "1é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
