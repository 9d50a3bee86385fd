//! Moments as the control plane writes them: RFC 3339 in UTC, whole seconds.
//!
//! The clock is [`crate::Options::clock`]; nothing here reads another.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// Whole seconds since 1970; 0 before.
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `2026-01-31T08:00:00Z`, of seconds since 1970.
pub fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let (hours, minutes, seconds) = (clock / 3_600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z")
}

/// Year, month and day of days since 1970: the inverse of [`palisade_model::calendar::days_from_civil`], in the same
/// eras of 400 years that begin in March.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
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
