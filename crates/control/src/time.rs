//! Moments as the control plane writes them: RFC 3339 in UTC, whole seconds.
//!
//! The clock is [`crate::Options::clock`]; nothing here reads another.

use std::time::{SystemTime, UNIX_EPOCH};

use palisade_model::calendar::civil_from_days;

const DAY: i64 = 86_400;

/// Whole seconds since 1970; 0 before.
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Milliseconds since 1970; 0 before.
pub fn unix_millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// `2026-01-31T08:00:00Z`, of seconds since 1970.
pub fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let (hours, minutes, seconds) = (clock / 3_600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z")
}

#[cfg(test)]
mod tests {
    use palisade_model::calendar::Moment;

    use super::rfc3339;

    #[test]
    fn what_is_written_is_read_back() {
        for day in 0..50_000_u64 {
            let seconds = day * 86_400 + day % 86_400;
            let read = Moment::parse(&rfc3339(seconds)).map(|moment| moment.seconds);
            assert_eq!(read, i64::try_from(seconds).ok());
        }
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
    }
}
