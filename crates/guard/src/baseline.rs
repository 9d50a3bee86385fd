//! What is usual, so that one bad hour does not move it: median and MAD, an EWMA chart, and a week of hours.
//!
//! The robust z-score is that of Iglewicz and Hoaglin: 0.6745 (x - median) / MAD, with the MAD at least 1 and at least 5 % of the
//! median, so that a service that never varies may vary a little. The EWMA chart has its limit at 3 sigma. A value that
//! deviates is not learned, or an attack that lasts would become usual; after a fortnight of nothing else it is, since
//! then it is. It must not know what the values are.

use std::collections::VecDeque;

/// A robust z-score beyond this deviates.
pub const Z_MAX: f64 = 3.5;
/// Hours of a week.
pub const WEEK_HOURS: usize = 168;
/// Values of one hour of the week that are kept: as many weeks.
pub const WEEKS_MAX: usize = 6;
/// Values that a baseline needs before it judges.
pub const LEARNED_MIN: usize = 24;
/// Values of an hour of the week that it needs before that hour is compared with itself.
pub const SEASON_MIN: usize = 3;
/// Values in a row that deviate before they are taken to be the new usual: a fortnight of hours.
pub const FROZEN_MAX: u32 = 336;

/// Weight of a new value in the moving average.
const LAMBDA: f64 = 0.25;
/// What a MAD of normal values has to be multiplied by to be their standard deviation.
pub(crate) const MAD_TO_SIGMA: f64 = 1.4826;

/// Middle and spread of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Half of the values are at most this.
    pub median: f64,
    /// Half of the values are at most this far from it; at least 1, and at least 5 % of it.
    pub mad: f64,
}

impl Usual {
    /// Of values in any order; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let median = median(&values)?;
        let mad = deviation(&values, median);
        Some(Self { median, mad: mad.max(1.0).max(0.05 * median.abs()) })
    }

    /// How far a value is from the middle, in spreads.
    pub fn z(&self, value: f64) -> f64 {
        0.6745 * (value - self.median) / self.mad
    }
}

/// The middle of sorted values: of an even number the mean of both.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[half]),
        _ => Some(f64::midpoint(sorted[half - 1], sorted[half])),
    }
}

/// Median absolute deviation of sorted values from their median.
pub(crate) fn deviation(sorted: &[f64], median_of: f64) -> f64 {
    let mut distances: Vec<f64> = sorted.iter().map(|value| (value - median_of).abs()).collect();
    distances.sort_unstable_by(f64::total_cmp);
    median(&distances).unwrap_or(0.0)
}

/// An exponentially weighted moving average, and how far it may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewma {
    level: f64,
}

impl Ewma {
    /// One that begins at a value.
    pub const fn at(level: f64) -> Self {
        Self { level }
    }

    /// What the average becomes with a value.
    pub fn with(self, value: f64) -> Self {
        Self { level: LAMBDA * value + (1.0 - LAMBDA) * self.level }
    }

    /// The average.
    pub const fn level(self) -> f64 {
        self.level
    }

    /// The highest average that is usual: 3 sigma of the average above the middle.
    pub fn upper(usual: Usual) -> f64 {
        usual.median + 3.0 * MAD_TO_SIGMA * usual.mad * (LAMBDA / (2.0 - LAMBDA)).sqrt()
    }
}

/// The latest values of something, and what is usual of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    values: VecDeque<f32>,
}

impl History {
    /// Adds a value; at the limit the oldest goes.
    pub(crate) fn push(&mut self, value: f64, limit: usize) {
        if self.values.len() >= limit {
            self.values.pop_front();
        }
        self.values.push_back(value as f32);
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn usual(&self) -> Option<Usual> {
        Usual::of(self.values.iter().copied().map(f64::from))
    }
}

/// What a value is beside what was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// There is not enough to compare with.
    Learning,
    /// It is usual, and was learned.
    Usual,
    /// It is not, and was not learned.
    Deviates(Departure),
}

/// How a value differs from what was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Departure {
    /// The value.
    pub value: f64,
    /// What is usual.
    pub usual: Usual,
    /// How many values say so.
    pub learned: usize,
    /// Whether they are of the same hour of the week.
    pub is_seasonal: bool,
    /// Robust z-score.
    pub z: f64,
    /// Moving average with the value.
    pub ewma: f64,
    /// The highest moving average that is usual.
    pub ewma_upper: f64,
}

/// A baseline of hourly values with a week's season.
#[derive(Debug, Clone)]
pub struct Season {
    recent: History,
    hours: Vec<History>,
    ewma: Ewma,
    frozen: u32,
}

impl Default for Season {
    fn default() -> Self {
        Self { recent: History::default(), hours: Vec::new(), ewma: Ewma::at(0.0), frozen: 0 }
    }
}

impl Season {
    /// Judges the value of an hour (counted from any fixed one), and learns it if it is usual.
    ///
    /// It deviates if its own z-score is too far up and it takes the moving average over its limit.
    pub fn judge(&mut self, hour: u64, value: f64) -> Judgement {
        let slot = usize::try_from(hour % WEEK_HOURS as u64).expect("less than a week");
        let same_hour = self.hours.get(slot).filter(|values| values.len() >= SEASON_MIN);
        let is_seasonal = same_hour.is_some();
        let base = same_hour.unwrap_or(&self.recent);
        let (learned, usual) = (base.len(), base.usual());
        let Some(usual) = usual.filter(|_| self.recent.len() >= LEARNED_MIN) else {
            self.learn(slot, value);
            return Judgement::Learning;
        };
        // With a season, the average follows what is left when the hour's own middle is taken away.
        let ewma = self.ewma.with(value - usual.median);
        let departure = Departure {
            value,
            usual,
            learned,
            is_seasonal,
            z: usual.z(value),
            ewma: ewma.level() + usual.median,
            ewma_upper: Ewma::upper(usual),
        };
        let deviates = departure.z > Z_MAX && departure.ewma > departure.ewma_upper;
        if deviates && self.frozen < FROZEN_MAX {
            self.frozen += 1;
            return Judgement::Deviates(departure);
        }
        if deviates {
            *self = Self::default();
        }
        self.frozen = 0;
        self.ewma = Ewma::at(if deviates { 0.0 } else { ewma.level() });
        self.learn(slot, value);
        if deviates { Judgement::Learning } else { Judgement::Usual }
    }

    fn learn(&mut self, slot: usize, value: f64) {
        if self.hours.is_empty() {
            self.hours.resize(WEEK_HOURS, History::default());
        }
        self.recent.push(value, WEEK_HOURS);
        self.hours[slot].push(value, WEEKS_MAX);
    }
}

#[cfg(test)]
mod tests;
