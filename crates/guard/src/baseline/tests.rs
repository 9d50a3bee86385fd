//! Baselines against definitions, and what they must not learn.

use proptest::prelude::*;

use super::*;

fn learned(hours: u64, value: impl Fn(u64) -> f64) -> Season {
    let mut season = Season::default();
    for hour in 0..hours {
        assert!(!matches!(season.judge(hour, value(hour)), Judgement::Deviates(_)), "hour {hour}");
    }
    season
}

#[test]
fn median_and_mad_of_few() {
    let usual = Usual::of([1.0, 9.0, 2.0, 100.0]).expect("some");
    assert_eq!((usual.median, usual.mad), (5.5, 4.0));
    assert_eq!(Usual::of([7.0]).map(|usual| (usual.median, usual.mad)), Some((7.0, 1.0)));
    assert_eq!(Usual::of([200.0; 5]).map(|usual| usual.mad), Some(10.0), "5 % of the median");
    assert_eq!(Usual::of([]), None);
}

#[test]
fn the_limit_of_the_chart() {
    let usual = Usual { median: 100.0, mad: 10.0 };
    // 3 * 14.826 * sqrt(0.25 / 1.75)
    assert!((Ewma::upper(usual) - 116.811).abs() < 0.001, "{}", Ewma::upper(usual));
    assert_eq!(Ewma::at(100.0).with(200.0).level(), 125.0);
}

#[test]
fn learns_first() {
    let mut season = Season::default();
    for hour in 0..LEARNED_MIN as u64 {
        assert_eq!(season.judge(hour, 1e9 * (hour % 2) as f64), Judgement::Learning);
    }
    assert_eq!(season.judge(24, 5e8), Judgement::Usual);
}

#[test]
fn does_not_learn_what_deviates_until_a_fortnight_is_over() {
    let mut season = learned(200, |_| 50.0);
    for hour in 0..u64::from(FROZEN_MAX) {
        let Judgement::Deviates(departure) = season.judge(200 + hour, 500.0) else { panic!("hour {hour}") };
        assert_eq!(departure.usual.median, 50.0);
    }
    assert_eq!(season.judge(600, 500.0), Judgement::Learning);
    for hour in 601..640 {
        assert!(!matches!(season.judge(hour, 500.0), Judgement::Deviates(_)));
    }
}

#[test]
fn an_hour_is_compared_with_itself() {
    // A backup on Monday at two; four weeks of it.
    let backup = |hour: u64| if hour % 168 == 2 { 10_000.0 } else { 20.0 + (hour % 3) as f64 };
    let mut season = Season::default();
    let strange: Vec<u64> = (0..168 * 6)
        .filter(|hour| matches!(season.judge(*hour, backup(*hour)), Judgement::Deviates(_)))
        .collect();
    assert_eq!(strange, [170, 338, 506, 674, 842], "it is never learned, since its first is the only one");
    // If it is seen while the baseline still learns each hour, it is known.
    let mut season = Season::default();
    for week in 0..3 {
        season.hours.resize(WEEK_HOURS, History::default());
        season.learn(2, 10_000.0 + f64::from(week));
    }
    for hour in 3..60 {
        season.judge(hour, 20.0);
    }
    assert_eq!(season.judge(168 + 2, 10_000.0), Judgement::Usual);
    assert!(
        matches!(season.judge(168 + 3, 10_000.0), Judgement::Deviates(departure) if !departure.is_seasonal)
    );
}

proptest! {
    #[test]
    fn usual_is_what_it_says(values in prop::collection::vec(-1_000_i32..1_000, 1..40)) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let usual = Usual::of(values.iter().copied()).expect("some");
        let below = values.iter().filter(|value| **value <= usual.median).count();
        let above = values.iter().filter(|value| **value >= usual.median).count();
        prop_assert!(below * 2 >= values.len() && above * 2 >= values.len());
        let near = values.iter().filter(|value| (*value - usual.median).abs() <= usual.mad).count();
        prop_assert!(near * 2 >= values.len());
    }

    /// Half of the values less one may be anything, and the middle still lies within the others.
    #[test]
    fn a_minority_does_not_move_it(good in 10_usize..30, bad in prop::collection::vec(0.0..1e9, 0..9)) {
        let usual = Usual::of(std::iter::repeat_n(5.0, good).chain(bad)).expect("some");
        prop_assert_eq!((usual.median, usual.mad), (5.0, 1.0));
    }
}
