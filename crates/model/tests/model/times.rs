//! Times as they are written, and windows as they hold.

use palisade_model::{
    Window,
    calendar::{Moment, days_from_civil, days_in_month},
};
use proptest::{option, prelude::*};

fn seconds(text: &str) -> Option<(i64, bool)> {
    Moment::parse(text).map(|moment| (moment.seconds, moment.has_fraction))
}

#[test]
fn one_moment_is_written_in_many_ways() {
    for text in [
        "2026-01-31T08:00:00Z",
        "2026-01-31t08:00:00z",
        "2026-01-31T08:00:00",
        "2026-01-31T08:00Z",
        "2026-01-31 08:00:00Z",
        "2026-01-31T08:00:00.000Z",
        "2026-01-31T10:30:00+02:30",
        "2026-01-31T10:30:00+0230",
        "2026-01-31T07:00:00-01",
        "2026-01-31T00:00:00-08:00",
        "20260131T080000Z",
        "20260131T090000+0100",
        " 2026-01-31T08:00:00Z ",
    ] {
        assert_eq!(seconds(text), Some((1_769_846_400, false)), "{text}");
    }
    assert_eq!(seconds("2026-01-31T08:00:00.0000001Z"), Some((1_769_846_400, true)));
    assert_eq!(seconds("2024-02-29T23:59:59,9-00:01"), Some((1_709_251_259, true)));
}

#[test]
fn what_may_be_meant_in_two_ways_is_no_moment() {
    for text in [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T",
        "2026-01-31T08",
        "2026-1-31T08:00:00Z",
        "2026-01-31T8:00:00Z",
        "31-01-2026T08:00:00Z",
        "01/31/2026 08:00:00",
        "2026-0131T08:00:00Z",
        "2026-01-31T080000Z",
        "20260131T08:00:00Z",
        "20260131T0800Z",
        "2026-01-31T08:00:00.Z",
        "2026-01-31T08:00:00ZZ",
        "2026-01-31T08:00:00 Z",
        "2026-01-31T08:00:00+1",
        "2026-01-31T08:00:00+01:",
        "2026-01-31T08:00:00+24:00",
        "2026-01-31T24:00:00Z",
        "2026-01-31T08:60:00Z",
        "2026-01-31T08:00:60Z",
        "2026-02-29T08:00:00Z",
        "2026-13-01T08:00:00Z",
        "2026-00-01T08:00:00Z",
        "0000-01-01T08:00:00Z",
        "+026-01-31T08:00:00Z",
        "२०२६-01-31T08:00:00Z",
        "1769846400",
    ] {
        assert_eq!(seconds(text), None, "{text}");
    }
}

#[test]
fn beginnings_are_rounded_up_and_ends_down() {
    let rounded = |text| {
        let moment = Moment::parse(text).expect("a moment");
        (moment.rounded_up(), moment.rounded_down())
    };
    assert_eq!(rounded("1970-01-01T00:00:07Z"), (Some(7), Some(7)));
    assert_eq!(rounded("1970-01-01T00:00:07.5Z"), (Some(8), Some(7)));
    assert_eq!(rounded("2106-02-07T06:28:15Z"), (Some(u32::MAX), Some(u32::MAX)));
    assert_eq!(rounded("2106-02-07T06:28:15.5Z"), (None, Some(u32::MAX)));
    assert_eq!(rounded("2106-02-07T06:28:16Z"), (None, None));
    assert_eq!(rounded("1969-12-31T23:59:59.5Z"), (Some(0), None));
}

#[test]
fn always_holds_at_every_second() {
    for now in [0, 1, u32::MAX] {
        assert!(Window::ALWAYS.contains(now));
    }
    assert!(Window::ALWAYS.is_always() && Window::new(None, None) == Some(Window::ALWAYS));
    assert_eq!(Window::new(None, Some(0)), None, "there is no second before the first");
    assert_eq!(Window::new(Some(5), Some(5)), None);
    assert_eq!(Window::new(Some(6), Some(5)), None);
    assert!(Window::new(Some(u32::MAX), None).is_some_and(|window| window.contains(u32::MAX)));
}

/// Bounds that are often close to each other.
fn bound() -> impl Strategy<Value = Option<u32>> {
    option::of(prop_oneof![0u32..6, any::<u32>()])
}

proptest! {
    #[test]
    fn a_window_is_half_open_and_never_empty(first in bound(), end in bound(), now: u32) {
        let Some(window) = Window::new(first, end) else {
            prop_assert!(end.is_some_and(|end| end <= first.unwrap_or(0)));
            return Ok(());
        };
        prop_assert_eq!((window.not_before(), window.expires_at()), (first, end));
        prop_assert_eq!(window.contains(now), first.unwrap_or(0) <= now && end.is_none_or(|end| now < end));
        prop_assert!(window.contains(first.unwrap_or(0)), "it holds from its first second");
        prop_assert!(end.is_none_or(|end| !window.contains(end) && window.contains(end - 1)));
        prop_assert_eq!(window.is_always(), first.is_none() && end.is_none());
    }

    /// One rule ends in the second in which the next begins: at no second both or none hold.
    #[test]
    fn windows_meet_without_gap_or_overlap(at in 1u32.., now: u32) {
        let (before, after) = (Window::new(None, Some(at)), Window::new(Some(at), None));
        let holds = |window: Option<Window>| window.expect("it is not empty").contains(now);
        prop_assert!(holds(before) != holds(after));
    }

    #[test]
    fn what_is_written_is_read(day in 0i64..49_710, clock in 0i64..86_400, minutes in -1_439i64..1_440) {
        let (mut year, mut month, mut left) = (1970, 1, day);
        while left >= days_in_month(year, month) {
            left -= days_in_month(year, month);
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        prop_assert_eq!(days_from_civil(year, month, left + 1), day);
        let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
        let (sign, offset) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
        let text = format!(
            "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}",
            left + 1, offset / 60, offset % 60
        );
        prop_assert_eq!(seconds(&text), Some((day * 86_400 + clock - minutes * 60, false)), "{}", text);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "[-0-9TtZz:.,+ é]{0,30}") {
        let _ = Moment::parse(&text);
    }
}
