//! Argus: what `ra -c ,` prints, a CSV file with a line of names, as the CTU-13 sets (binetflow) are published in too.
//!
//! Bytes count from the Ethernet header. The state of TCP is the flags of either end with `_` between them, or a word. Dates
//! have no zone and are taken to be UTC; those without a year are of the latest that is not after the file was last written. It must not read
//! columns by their place: files differ.

use std::{net::IpAddr, time::SystemTime};

use palisade_guard::{Connection, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::Protocol;

use super::{ConnectionIntake, Field, milliseconds, protocol, seconds};
use crate::{FlowLogError, guests::syslog::in_latest_year};

/// Columns without which a file is none.
const NEEDED: [&str; 4] = ["StartTime", "Proto", "SrcAddr", "DstAddr"];

const DAY_S: i64 = 86_400;

/// Where a file has its columns.
struct Columns<'a>(Vec<&'a str>);

impl<'a> Columns<'a> {
    fn get<'l>(&self, line: &[&'l str], name: &str) -> Option<&'l str> {
        let at = self.0.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        line.get(at).map(|field| field.trim())
    }
}

/// What a line turns out to be.
enum Meaning {
    Connection(Connection),
    /// Of a protocol without flows, such as ARP.
    Other,
}

/// Whether a line is that of the names.
pub(super) fn is_one(first: &[u8]) -> bool {
    let text = String::from_utf8_lossy(first);
    let has = |needed: &str| text.split(',').any(|name| name.trim().eq_ignore_ascii_case(needed));
    NEEDED.into_iter().all(has)
}

pub(super) fn read(
    bytes: &[u8],
    written: SystemTime,
    intake: &mut ConnectionIntake<'_>,
) -> Result<(), FlowLogError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().zip(1_u64..);
    let Some((names, _)) = lines.next() else { return Ok(()) };
    let columns = Columns(names.split(',').map(str::trim).collect());
    // The names may stand there again.
    for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty() && *line != names) {
        let fields: Vec<&str> = line.split(',').collect();
        match meaning(&columns, &fields, seconds(written), intake) {
            Ok(Meaning::Connection(connection)) => intake.add(connection)?,
            Ok(Meaning::Other) => intake.log.passed_over += 1,
            Err(what) => intake.problem(number, what.to_string()),
        }
    }
    Ok(())
}

fn meaning(
    columns: &Columns<'_>,
    line: &[&str],
    newest: i64,
    intake: &ConnectionIntake<'_>,
) -> Result<Meaning, Field> {
    let field = |name: &'static str| {
        columns.get(line, name).filter(|value| !value.is_empty()).ok_or(Field::Missing(name))
    };
    let number = |name| {
        let text = field(name)?;
        text.parse::<u64>().map_err(|_| Field::wrong(name, text))
    };
    let address = |name| {
        let text = field(name)?;
        text.parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| Field::wrong(name, text))
    };
    let Some(protocol) = protocol(field("Proto")?) else { return Ok(Meaning::Other) };
    let (source, destination) = (address("SrcAddr")?, address("DstAddr")?);
    let ports = ports(protocol, columns.get(line, "Sport"), columns.get(line, "Dport"), field("State")?);
    let flow = intake.flow(protocol, (source, ports.0), (destination, ports.1))?;
    let (start, duration) = (field("StartTime")?, field("Dur")?);
    let start_ms = moment(start, newest).ok_or_else(|| Field::wrong("StartTime", start))?;
    let duration_ms = milliseconds(duration).ok_or_else(|| Field::wrong("Dur", duration))?;
    // Both ways together, or each apart.
    let back = |total, sent: u64, back| match number(total) {
        Ok(total) => Ok(total.saturating_sub(sent)),
        Err(Field::Missing(_)) => number(back).map_err(|_| Field::Missing(total)),
        Err(wrong) => Err(wrong),
    };
    let (sent, sent_bytes) = (number("SrcPkts").or_else(|_| number("TotPkts"))?, number("SrcBytes")?);
    let traffic = FlowTraffic {
        packets_to_destination: sent,
        bytes_to_destination: sent_bytes,
        packets_to_source: back("TotPkts", sent, "DstPkts")?,
        bytes_to_source: back("TotBytes", sent_bytes, "DstBytes")?,
    };
    let outcome = outcome(protocol, field("State")?, &traffic);
    let end_ms = start_ms.saturating_add(duration_ms);
    let traffic = Some(traffic);
    Ok(Meaning::Connection(Connection { start_ms, end_ms, flow, outcome, traffic, stage: Stage::Over }))
}

/// Ports in decimal or hexadecimal. The type of an ICMP message is known by its state only.
fn ports(protocol: Protocol, source: Option<&str>, destination: Option<&str>, state: &str) -> (u16, u16) {
    let port = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        let number = match text.strip_prefix("0x") {
            Some(digits) => u16::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.unwrap_or(0)
    };
    match (protocol, state) {
        (Protocol::ICMP, "ECO" | "ECR") => (0, 8),
        (Protocol::ICMPV6, "ECO" | "ECR") => (0, 128),
        (Protocol::ICMP | Protocol::ICMPV6, _) => (0, 3),
        _ => (port(source), port(destination)),
    }
}

fn outcome(protocol: Protocol, state: &str, traffic: &FlowTraffic) -> Outcome {
    let is_answered = traffic.packets_to_source > 0;
    if protocol != Protocol::TCP {
        return if is_answered { Outcome::Answered } else { Outcome::Unanswered };
    }
    match (state.split_once('_'), state) {
        // A request whose acknowledgement came is no request any more, whoever it came from.
        (Some((sent, "")), _) if sent.contains('A') => Outcome::Unknown,
        (Some((_, "")), _) | (None, "REQ" | "INT" | "S0") => Outcome::Unanswered,
        (Some((_, back)), _) if back.contains('R') && !back.contains(['S', 'P', 'F']) => Outcome::Refused,
        (None, "REJ" | "RST") if traffic.packets_to_source <= 1 => Outcome::Refused,
        _ if is_answered => Outcome::Answered,
        _ => Outcome::Unknown,
    }
}

/// `2011/08/16 10:01:46.972101`, `08/16.10:01:46.972101` of the latest year before `newest`, or seconds; in milliseconds since 1970.
fn moment(text: &str, newest: i64) -> Option<u64> {
    let Some((date, time)) = text.split_once([' ', '.']).filter(|(date, _)| date.contains(['/', '-'])) else {
        return milliseconds(text);
    };
    let mut time = time.split(':');
    let (hour, minute): (u64, u64) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    let second_ms = milliseconds(time.next()?)?;
    if hour >= 24 || minute >= 60 || second_ms >= 61_000 {
        return None;
    }
    let of_day_ms = (hour * 60 + minute) * 60_000 + second_ms;
    let numbers: Vec<i64> = date.split(['/', '-']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let midnight_s = match numbers[..] {
        [year @ 1970..3_000, month @ 1..=12, day @ 1..=31] => days(year, month, day) * DAY_S,
        [month @ 1..=12, day] => {
            let of_day_s = i64::try_from(of_day_ms / 1_000).ok()?;
            in_latest_year(month, day, of_day_s, newest)? - of_day_s
        }
        _ => return None,
    };
    Some(u64::try_from(midnight_s).ok()? * 1_000 + of_day_ms)
}

/// Days from 1970 to a date of the Gregorian calendar: years begin in March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        // 2024-03-01T00:00:00Z.
        let moment = |text| moment(text, 1_709_251_200);
        assert_eq!(moment("1970/01/01 00:00:00.000000"), Some(0));
        assert_eq!(moment("2011/08/16 10:01:46.972101"), Some(1_313_488_906_972));
        assert_eq!(moment("2000/02/29 23:59:59.9996"), Some(951_868_800_000));
        assert_eq!(moment("1313488906.972101"), Some(1_313_488_906_972));
        assert_eq!(moment("02/29.10:01:46.5"), Some(1_709_200_906_500), "of this year");
        assert_eq!(moment("08/16.10:01:46.5"), Some(1_692_180_106_500), "of the year before");
        for text in [
            "2011/13/16 10:01:46",
            "2011/08/16 18446744073709551615:01:46",
            "2011/08/16 10:18446744073709551615:46",
            "02/30.10:01:46",
            "02/29.10:01:99",
            "yesterday",
            "-1",
            "NaN",
            "1e12",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn states() {
        let told = |state, back| {
            let traffic = FlowTraffic { packets_to_source: back, ..FlowTraffic::default() };
            outcome(Protocol::TCP, state, &traffic)
        };
        use Outcome::*;
        assert_eq!(
            [told("S_", 0), told("S0", 0), told("S_RA", 1), told("S_R", 1)],
            [Unanswered, Unanswered, Refused, Refused]
        );
        assert_eq!([told("FSPA_FSPA", 9), told("SR_SA", 1), told("S_SA", 1)], [Answered; 3]);
        assert_eq!([told("SRPA_", 0), told("FSA_", 0)], [Unknown; 2], "only one way was captured");
    }
}
