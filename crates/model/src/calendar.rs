//! Days and moments in UTC: the civil calendar, and ISO 8601 text as seconds since 1970.
//!
//! Moments are read strictly (RFC 3339, its basic form without separators, and .NET's `u` pattern, which templates
//! produce): a time that may be meant in two ways must not open or close anything. It reads no clock and knows no leap
//! seconds, as Unix time does not.

const DAY: i64 = 86_400;

/// The number of days in a month, 1 to 12.
pub const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in eras of 400 years.
pub const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of days since 1970-01-01: the inverse of [`days_from_civil`].
pub const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Counted from March, as the eras begin.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + (month <= 2) as i64, month, day)
}

/// A moment that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Whole seconds since 1970 in UTC.
    pub seconds: i64,
    /// Whether a part of a second follows.
    pub has_fraction: bool,
}

impl Moment {
    /// Reads `2026-01-31T08:00[:00[.5]][Z|+01:00]` or `20260131T080000Z`; without an offset it is UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text.trim());
        let year = rest.number(4)?;
        let is_basic = !rest.skip(&['-']);
        let month = rest.number(2)?;
        let separators_agree = rest.skip(&['-']) != is_basic;
        let day = rest.number(2)?;
        let has_time = rest.skip(&['T', 't', ' ']);
        let clock = rest.clock(is_basic)?;
        let has_fraction = rest.fraction()?;
        let offset = rest.offset()?;
        let is_date = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        let is_whole = separators_agree && has_time && is_date && rest.0.is_empty();
        let seconds = days_from_civil(year, month, day) * DAY + clock - offset;
        is_whole.then_some(Self { seconds, has_fraction })
    }

    /// The first whole second that is not before it; `None` if 32 bits do not hold it (1970 to 2106).
    pub fn rounded_up(self) -> Option<u32> {
        u32::try_from(self.seconds + i64::from(self.has_fraction)).ok()
    }

    /// The last whole second that is not after it; `None` if 32 bits do not hold it (1970 to 2106).
    pub fn rounded_down(self) -> Option<u32> {
        u32::try_from(self.seconds).ok()
    }
}

/// The first second behind what is given as an end: behind a day such as `2027-01-31`, which is meant whole, or the second of a moment.
pub fn end(text: &str) -> Option<u32> {
    let start_of_day = Moment::parse(&format!("{text}T00:00:00Z")).and_then(Moment::rounded_down);
    let behind_day = start_of_day.and_then(|start| start.checked_add(DAY as u32));
    behind_day.or_else(|| Moment::parse(text).and_then(Moment::rounded_down))
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// A number of exactly `digits` digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    /// A number of two digits below `end`.
    fn below(&mut self, end: i64) -> Option<i64> {
        self.number(2).filter(|number| *number < end)
    }

    /// Goes past one of these characters, if it is next.
    fn skip(&mut self, any: &[char]) -> bool {
        let rest = self.0.strip_prefix(any);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Hours, minutes and perhaps seconds, as seconds. The basic form has them all.
    fn clock(&mut self, is_basic: bool) -> Option<i64> {
        let hours = self.below(24)?;
        if self.skip(&[':']) == is_basic {
            return None;
        }
        let minutes = self.below(60)?;
        let seconds = if is_basic || self.skip(&[':']) { self.below(60)? } else { 0 };
        Some(hours * 3_600 + minutes * 60 + seconds)
    }

    /// Whether there is a fraction other than zero; `None` for a separator without digits.
    fn fraction(&mut self) -> Option<bool> {
        if !self.skip(&['.', ',']) {
            return Some(false);
        }
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        (!digits.is_empty()).then(|| digits.bytes().any(|byte| byte != b'0'))
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = if self.skip(&['+']) {
            1
        } else if self.skip(&['-']) {
            -1
        } else {
            self.skip(&['Z', 'z']);
            return Some(0);
        };
        let hours = self.below(24)?;
        let is_extended = self.skip(&[':']);
        let minutes = if is_extended || !self.0.is_empty() { self.below(60)? } else { 0 };
        Some(sign * (hours * 3_600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_its_last_second_and_a_moment_at_once() {
        for (text, expected) in [
            ("1970-01-01", Some(86_400)),
            ("1970-01-01T00:01Z", Some(60)),
            ("2106-02-06", Some(4_294_944_000)),
            ("2106-02-07", None),
            ("2027-02-29", None),
            ("1970-01-01T", None),
            ("", None),
        ] {
            assert_eq!(end(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_of_an_era_and_more_is_found_again() {
        for days in -800_000..800_000 {
            let (year, month, day) = civil_from_days(days);
            assert!((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day), "{days}");
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(-1), (1969, 12, 31));
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
    }
}
