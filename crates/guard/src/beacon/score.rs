//! How much a pair's connections look like a clock: the beacon score of RITA 5, to its rounding.
//!
//! A quarter each: how evenly connections follow each other, how even their sizes are, how even the day's histogram is, and
//! how much of the time is covered. Written from the description of the score and checked by hand; RITA (Active
//! Countermeasures, `analysis/beacons.go` at a3c51501) rounds each part to three decimals, and the coverage up. It must not know
//! whose connections these are.

use crate::baseline::{deviation, median};

/// Bars of the histogram: hours of a day, if the window is one.
const BARS: usize = 24;
/// Bars with connections that the comparison of two heights needs.
const BIMODAL_BARS_MIN: usize = 11;
/// Bars that the coverage needs.
const DURATION_BARS_MIN: usize = 6;
/// Bars in a row that are full marks.
const RUN_IDEAL: f64 = 12.0;
/// Heights of bars within this share of the highest are one height.
const HEIGHT_SHARE: f64 = 0.05;
/// A spread of quartiles below this has no skew.
const SKEW_SPREAD_MIN: f64 = 10.0;

/// The score and its parts, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeaconScore {
    /// The mean of the four.
    pub total: f64,
    /// Evenness of the gaps between connections.
    pub timing: f64,
    /// Evenness of the bytes that the source sends.
    pub size: f64,
    /// Evenness of the histogram over the window.
    pub histogram: f64,
    /// Part of the window that is covered.
    pub duration: f64,
}

impl BeaconScore {
    /// Of the seconds at which connections began, in order, and the bytes of each, seen in a window of seconds. `None` of fewer than
    /// four moments, or an empty window.
    pub fn of(seconds: &[u32], sizes: &[u32], (begin, end): (u32, u32)) -> Option<Self> {
        let rhythm = Rhythm::of(seconds, (begin, end))?;
        let mut sizes: Vec<f64> = sizes.iter().copied().map(f64::from).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let size = evenness(&sizes, 0.0)?;
        let Rhythm { timing, histogram, duration } = rhythm;
        let total = thousandths(0.25 * timing + 0.25 * size + 0.25 * duration + 0.25 * histogram);
        Some(Self { total, timing, size, histogram, duration })
    }
}

/// What the times alone tell: of connections that carry nothing, sizes say nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Evenness of the gaps.
    pub timing: f64,
    /// Evenness of the histogram.
    pub histogram: f64,
    /// Part of the window that is covered.
    pub duration: f64,
}

impl Rhythm {
    /// Of seconds in order, seen in a window of seconds.
    pub fn of(seconds: &[u32], (begin, end): (u32, u32)) -> Option<Self> {
        if seconds.is_empty() || end <= begin {
            return None;
        }
        let mut gaps: Vec<f64> = seconds
            .windows(2)
            .map(|pair| f64::from(pair[1].saturating_sub(pair[0])))
            .filter(|gap| *gap > 0.0)
            .collect();
        gaps.sort_unstable_by(f64::total_cmp);
        let timing = evenness(&gaps, 1.0)?;
        let Outline { histogram, duration, .. } = Outline::of(seconds.iter().copied(), (begin, end));
        Some(Self { timing, histogram, duration })
    }

    /// The mean of the three.
    pub fn mean(&self) -> f64 {
        thousandths((self.timing + self.histogram + self.duration) / 3.0)
    }
}

/// What times tell before they are put in order: enough to pass over most pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    /// How many there are.
    pub(super) count: usize,
    histogram: f64,
    duration: f64,
}

impl Outline {
    /// Of seconds in any order, seen in a window of seconds.
    pub(super) fn of(seconds: impl Iterator<Item = u32>, (begin, end): (u32, u32)) -> Self {
        let window = (f64::from(end) - f64::from(begin)).max(1.0);
        let (mut bars, mut count, mut first, mut last) = ([0; BARS], 0, u32::MAX, 0);
        for second in seconds {
            bars[bar(second, begin, window / BARS as f64)] += 1;
            (count, first, last) = (count + 1, first.min(second), last.max(second));
        }
        let coverage = f64::from(last.saturating_sub(first)) / window;
        Self { count, histogram: flatness(&bars), duration: duration(&bars, coverage) }
    }

    /// The mean that the best timing would make of it.
    pub(super) fn best_mean(&self) -> f64 {
        Rhythm { timing: 1.0, histogram: self.histogram, duration: self.duration }.mean()
    }
}

/// One minus the skew of the quartiles, and one minus the spread beside the median, in equal parts. `tiny` is the latter of a median
/// below 1. `None` of fewer than three values.
fn evenness(sorted: &[f64], tiny: f64) -> Option<f64> {
    if sorted.len() < 3 {
        return None;
    }
    let (low, middle, high) = quartiles(sorted)?;
    let spread = high - low;
    let has_skew = spread >= SKEW_SPREAD_MIN && middle != low && middle != high;
    let skew = if has_skew { (low + high - 2.0 * middle) / spread } else { 0.0 };
    let share = if middle >= 1.0 { (middle - deviation(sorted, middle)) / middle } else { tiny };
    Some(thousandths(f64::midpoint(1.0 - skew.abs(), share.max(0.0))))
}

/// Medians of the lower half, of all, and of the upper half; the middle of an odd number is in neither half.
fn quartiles(sorted: &[f64]) -> Option<(f64, f64, f64)> {
    let half = sorted.len() / 2;
    let upper = sorted.len() - half;
    Some((median(&sorted[..half])?, median(sorted)?, median(&sorted[upper..])?))
}

/// Which of 24 equal parts of the window a second is in; the last one has its end too.
fn bar(second: u32, begin: u32, step: f64) -> usize {
    let edge = |bar: usize| f64::from(begin) + bar as f64 * step;
    let at = f64::from(second);
    // The division may be off by one at an edge, which decides.
    let mut bar = (((at - f64::from(begin)) / step).max(0.0) as usize).min(BARS - 1);
    while bar + 1 < BARS && at >= edge(bar + 1) {
        bar += 1;
    }
    while bar > 0 && at < edge(bar) {
        bar -= 1;
    }
    bar
}

/// The better of: how little bars vary, and how many of them are of one of two heights.
fn flatness(bars: &[u32; BARS]) -> f64 {
    steadiness(bars).max(two_heights(bars))
}

fn steadiness(bars: &[u32; BARS]) -> f64 {
    let mean = bars.iter().copied().map(f64::from).sum::<f64>() / BARS as f64;
    let squares = bars.iter().map(|bar| (f64::from(*bar) - mean).powi(2)).sum::<f64>();
    thousandths((1.0 - (squares / BARS as f64).sqrt() / mean).max(0.0))
}

fn two_heights(bars: &[u32; BARS]) -> f64 {
    let filled: Vec<u32> = bars.iter().copied().filter(|bar| *bar > 0).collect();
    if filled.len() < BIMODAL_BARS_MIN {
        return 0.0;
    }
    let highest = filled.iter().copied().max().map_or(0.0, f64::from);
    let width = (highest * HEIGHT_SHARE).ceil();
    let mut heights: Vec<u32> = filled.iter().map(|bar| (f64::from(*bar) / width) as u32).collect();
    heights.sort_unstable();
    let mut groups: Vec<usize> = heights.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    groups.sort_unstable_by(|a, b| b.cmp(a));
    let of_two: usize = groups.iter().take(2).sum();
    // One bar may be of another height.
    thousandths(of_two as f64 / (filled.len() - 1).max(1) as f64).min(1.0)
}

/// The better of: the part of the window from the first to the last, and the longest run of bars, which may go around.
fn duration(bars: &[u32; BARS], coverage: f64) -> f64 {
    if bars.iter().filter(|bar| **bar > 0).count() < DURATION_BARS_MIN {
        return 0.0;
    }
    let (mut longest, mut run) = (0_u32, 0_u32);
    for bar in bars.iter().chain(bars) {
        run = if *bar > 0 { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let up = |part: f64| ((part * 1_000.0).ceil() / 1_000.0).min(1.0);
    up(coverage).max(up(f64::from(longest) / RUN_IDEAL))
}

fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(gaps: &[u32]) -> Vec<u32> {
        let mut at = 1_000_000;
        std::iter::once(at)
            .chain(gaps.iter().map(|gap| {
                at += gap;
                at
            }))
            .collect()
    }

    fn timing(gaps: &[u32]) -> f64 {
        let times = times(gaps);
        Rhythm::of(&times, (999_999, times[times.len() - 1] + 1)).expect("enough").timing
    }

    #[test]
    fn gaps_by_hand() {
        assert_eq!(timing(&[60; 9]), 1.0);
        // Median 100, MAD 1; the quartiles are too close to have a skew.
        assert_eq!(timing(&[98, 99, 99, 100, 100, 100, 101, 101, 102]), 0.995);
        // Two gaps in turn: median 199, MAD 101.
        assert_eq!(timing(&[98, 300, 98, 300, 98, 300, 98, 300, 98, 300]), 0.746);
        // Quartiles 13.5, 90, 1000: skew 833.5 / 986.5; MAD 89.
        assert_eq!(timing(&[1, 299, 25, 4_975, 90, 2, 42, 500, 1_500]), 0.083);
        // Moments that are the same are no gap.
        assert_eq!(timing(&[60, 0, 60, 0, 0, 60]), 1.0);
    }

    #[test]
    fn sizes_by_hand() {
        let size = |sizes: &[f64]| evenness(sizes, 0.0);
        // Quartiles 3, 5.5 and 8, MAD 2.5.
        assert_eq!(size(&[1., 2., 3., 4., 5., 6., 7., 8., 9., 10.]), Some(0.773));
        assert_eq!(size(&[0., 0., 0.]), Some(0.5), "nothing was sent: no skew, and no evenness");
        assert_eq!(size(&[1., 2.]), None);
    }

    #[test]
    fn bars_by_hand() {
        let mut day = [0; BARS];
        day[..6].fill(10);
        // Six bars of a day: mean 2.5, sigma 4.33; the run is half of what is ideal.
        assert_eq!((flatness(&day), duration(&day, 0.2)), (0.0, 0.5));
        assert_eq!(duration(&day, 0.6001), 0.601, "rounded up");
        day[20..].fill(10);
        assert_eq!(duration(&day, 0.0), 0.834, "the run of ten goes around");
        day[5] = 0;
        day[..3].fill(0);
        day[20..].fill(0);
        assert_eq!(duration(&day, 1.0), 0.0, "too few bars");

        let mut turns = [100; BARS];
        turns.iter_mut().step_by(2).for_each(|bar| *bar = 10);
        assert_eq!((steadiness(&turns), two_heights(&turns)), (0.182, 1.0));
        turns[3] = 40;
        turns[7] = 70;
        assert_eq!(two_heights(&turns), 0.957, "22 of 23");
    }

    #[test]
    fn a_clock_has_full_marks_and_noise_has_not() {
        let day: Vec<u32> = (0..1_440).map(|minute| minute * 60).collect();
        let score = BeaconScore::of(&day, &[512; 1_440], (0, 86_400)).expect("enough");
        assert_eq!((score.total, score.timing, score.size, score.duration), (1.0, 1.0, 1.0, 1.0));
        let noise: Vec<u32> = (0..60_u32).map(|n| n * n * n % 86_000).collect();
        let mut noise = noise;
        noise.sort_unstable();
        let sizes: Vec<u32> = (0..60_u32).map(|n| n * n * n % 5_003).collect();
        assert!(BeaconScore::of(&noise, &sizes, (0, 86_400)).expect("enough").total < 0.75);
    }

    #[test]
    fn too_little_has_no_score() {
        assert_eq!(BeaconScore::of(&[1, 2, 3], &[1, 1, 1], (0, 10)), None);
        assert_eq!(BeaconScore::of(&[1, 1, 2, 2, 3], &[1; 5], (0, 10)), None, "two gaps");
        assert_eq!(BeaconScore::of(&[1, 2, 3, 4], &[1; 4], (4, 4)), None);
    }

    proptest! {
        #[test]
        fn parts_are_shares(mut seconds in prop::collection::vec(0..86_400_u32, 4..200), size in any::<u32>()) {
            seconds.sort_unstable();
            let sizes: Vec<u32> = seconds.iter().map(|second| size.wrapping_mul(*second)).collect();
            if let Some(score) = BeaconScore::of(&seconds, &sizes, (0, 86_400)) {
                let parts = [score.timing, score.size, score.histogram, score.duration, score.total];
                prop_assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)), "{score:?}");
                let mean = parts[..4].iter().sum::<f64>() / 4.0;
                prop_assert!((score.total - mean).abs() <= 0.000_5 + 1e-9);
            }
        }

        /// Each connection is in the bar whose edges hold it.
        #[test]
        fn bars_hold_all(mut seconds in prop::collection::vec(1_000..2_000_u32, 1..200)) {
            seconds.sort_unstable();
            let step = 1_000.0 / 24.0;
            let mut bars = [0_u32; BARS];
            seconds.iter().for_each(|second| bars[bar(*second, 1_000, step)] += 1);
            for (bar, count) in bars.iter().enumerate() {
                let edges = (1_000.0 + bar as f64 * step, 1_000.0 + (bar + 1) as f64 * step);
                let inside = |s: &&u32| f64::from(**s) >= edges.0 && (f64::from(**s) < edges.1 || bar == 23);
                prop_assert_eq!(*count as usize, seconds.iter().filter(inside).count());
            }
        }

        /// What is passed over by its outline could not have had a score: whatever the timing is, it is no more than full marks.
        #[test]
        fn an_outline_is_never_too_low(mut seconds in prop::collection::vec(0..86_400_u32, 0..300), every in 0..900_u32) {
            // Half of the cases are clocks, which have a high score.
            if every > 450 {
                (0_u32..).zip(&mut seconds).for_each(|(n, second)| *second = n * every % 86_400);
            }
            let outline = Outline::of(seconds.iter().copied(), (0, 86_400));
            seconds.sort_unstable();
            if let Some(rhythm) = Rhythm::of(&seconds, (0, 86_400)) {
                prop_assert!(rhythm.mean() <= outline.best_mean());
                prop_assert_eq!((rhythm.histogram, rhythm.duration), (outline.histogram, outline.duration));
            }
            prop_assert_eq!(outline.count, seconds.len());
        }
    }
}
