use super::*;

const SECOND: u64 = 1_000_000_000;

fn reading(anchor: u64) -> Reading {
    Reading { anchor: Anchor(anchor), wall_s: SET_SINCE_S + 60, error_ns: 200 }
}

#[test]
fn a_step_is_followed_in_both_directions_and_noise_is_not() {
    let at = (SET_SINCE_S + 1) * SECOND;
    let in_use = Some(Anchor(at));
    for (now, expect) in [
        (at, Step::Keep),
        (at + TOLERANCE_NS, Step::Keep),
        (at - TOLERANCE_NS, Step::Keep),
        (at + TOLERANCE_NS + 1, Step::Follow(Anchor(at + TOLERANCE_NS + 1))),
        (at - 3600 * SECOND, Step::Follow(Anchor(at - 3600 * SECOND))),
        (at + 3600 * SECOND, Step::Follow(Anchor(at + 3600 * SECOND))),
    ] {
        assert_eq!(reading(now).judge(in_use), expect, "{now}");
    }
    assert_eq!(reading(at).judge(None), Step::Follow(Anchor(at)), "the first is always taken");
    let blurred = Reading { error_ns: 5 * TOLERANCE_NS, ..reading(at + 4 * TOLERANCE_NS) };
    assert_eq!(blurred.judge(in_use), Step::Keep, "the two clocks were read too far apart to tell");
}

#[test]
fn a_clock_that_was_never_set_says_nothing() {
    for wall_s in [0, 1, SET_SINCE_S - 1] {
        let reading = Reading { wall_s, ..reading(wall_s * SECOND) };
        assert_eq!(reading.judge(None), Step::Unset);
        assert_eq!(reading.judge(Some(Anchor(5))), Step::Unset, "the anchor in use stays");
    }
    assert_ne!(Reading { wall_s: SET_SINCE_S, ..reading(0) }.judge(None), Step::Unset);
}

#[test]
fn anchors_wrap_round() {
    assert_eq!(Anchor(3).distance(Anchor(u64::MAX)), 4);
    assert_eq!(Anchor(u64::MAX).distance(Anchor(3)), 4);
    assert_eq!(Anchor(1_767_225_600_000_000_042).to_string(), "1767225600.000000042");
}

#[test]
fn the_clocks_of_this_machine_agree_with_themselves() {
    let (first, second) = (Reading::take().unwrap(), Reading::take().unwrap());
    assert!(first.error_ns < TOLERANCE_NS, "{first:?}");
    assert!(first.anchor.distance(second.anchor) <= TOLERANCE_NS, "{first:?} {second:?}");
    let boot = nanoseconds(clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap());
    let wall = nanoseconds(clock_gettime(ClockId::CLOCK_REALTIME).unwrap());
    assert!(Anchor(wall.wrapping_sub(boot)).distance(first.anchor) < SECOND);
}

#[test]
fn nothing_is_heard_of_a_clock_that_nobody_steps() {
    assert!(!ClockWatch::open().unwrap().drain().unwrap());
}
