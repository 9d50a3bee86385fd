//! Argus binetflow: a CSV file with a line of names, as the CTU-13 sets are published in.
//!
//! Bytes count from the Ethernet header. The state of TCP is the flags of either end with `_` between them, or a word. Dates
//! have no zone and are taken to be UTC. It must not read columns by their place: files differ.

use palisade_guard::{Connection, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::Protocol;

use super::{ConnectionIntake, milliseconds, protocol};
use crate::FlowLogError;

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

pub(super) fn read(bytes: &[u8], intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().zip(1_u64..);
    let Some((names, _)) = lines.next() else { return Ok(()) };
    let columns = Columns(names.split(',').map(str::trim).collect());
    for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').collect();
        match meaning(&columns, &fields, intake) {
            Ok(Meaning::Connection(connection)) => intake.add(connection)?,
            Ok(Meaning::Other) => intake.log.passed_over += 1,
            Err(what) => intake.problem(number, format!("it has no {what}, or one that cannot be read")),
        }
    }
    Ok(())
}

fn meaning(
    columns: &Columns<'_>,
    line: &[&str],
    intake: &ConnectionIntake<'_>,
) -> Result<Meaning, &'static str> {
    let field = |name: &'static str| columns.get(line, name).filter(|value| !value.is_empty()).ok_or(name);
    let number = |name| field(name)?.parse::<u64>().map_err(|_| name);
    let Some(protocol) = protocol(field("Proto")?) else { return Ok(Meaning::Other) };
    let address = |name| field(name)?.parse().map_err(|_| name);
    let (source, destination) = (address("SrcAddr")?, address("DstAddr")?);
    let ports = ports(protocol, columns.get(line, "Sport"), columns.get(line, "Dport"), field("State")?);
    let flow =
        intake.flow(protocol, (source, ports.0), (destination, ports.1)).ok_or("DstAddr of one family")?;
    let start_ms = moment(field("StartTime")?).ok_or("StartTime")?;
    let duration_ms = milliseconds(field("Dur")?).ok_or("Dur")?;
    let (packets, bytes) = (number("TotPkts")?, number("TotBytes")?);
    let (sent, sent_bytes) = (number("SrcPkts").unwrap_or(packets), number("SrcBytes")?);
    let traffic = FlowTraffic {
        packets_to_destination: sent,
        bytes_to_destination: sent_bytes,
        packets_to_source: packets.saturating_sub(sent),
        bytes_to_source: bytes.saturating_sub(sent_bytes),
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

/// `2011/08/16 10:01:46.972101`, in milliseconds since 1970.
fn moment(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(' ')?;
    let mut date = date.split(['/', '-']).map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.split(':');
    let (hour, minute): (u64, u64) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    let second_ms = milliseconds(time.next()?)?;
    let is_sound = (1970..3_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let days = if is_sound { u64::try_from(days(year, month, day)).ok()? } else { return None };
    (hour < 24 && minute < 60).then_some(((days * 24 + hour) * 60 + minute) * 60_000 + second_ms)
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
        assert_eq!(moment("1970/01/01 00:00:00.000000"), Some(0));
        assert_eq!(moment("2011/08/16 10:01:46.972101"), Some(1_313_488_906_972));
        assert_eq!(moment("2000/02/29 23:59:59.9996"), Some(951_868_800_000));
        assert_eq!(moment("2011/13/16 10:01:46"), None);
        assert_eq!(moment("yesterday"), None);
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
