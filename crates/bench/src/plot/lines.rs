//! A line for each firewall over a few sizes, on a logarithmic scale: what grows with the number of rules is steep, what
//! does not is flat.

use super::svg::{Anchor, Drawing, colour, number};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 540.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 350.0;
/// Names of lines are kept this far apart.
const NAME_GAP: f64 = 18.0;

/// The plot.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) title: &'static str,
    /// What stands below each place.
    pub(super) places: Vec<String>,
    pub(super) lines: Vec<Line>,
}

/// One line: a value at each place.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

impl Lines {
    pub(super) fn draw(&self) -> String {
        let values = || self.lines.iter().flat_map(|line| &line.values).map(|value| value.max(1.0));
        let low = 10_f64.powf(values().fold(f64::INFINITY, f64::min).log10().floor());
        let decades = (values().fold(10.0, f64::max) / low).log10().max(1.0);
        let y = |value: f64| BOTTOM - (value.max(1.0) / low).log10() / decades * (BOTTOM - TOP);
        let mut drawing = Drawing::new(WIDTH, HEIGHT, self.title);
        for decade in 0..=decades as i32 {
            let value = low * 10_f64.powi(decade);
            drawing.rule((LEFT, y(value)), (RIGHT, y(value)));
            drawing.text((LEFT - 8.0, y(value) + 4.0), Anchor::End, "small", &number(value));
        }
        for (place, name) in self.places.iter().enumerate() {
            drawing.text((self.x(place), BOTTOM + 22.0), Anchor::Middle, "small", name);
        }
        // Ours last, so that it lies above the others.
        for (number, line) in self.lines.iter().enumerate().rev() {
            let points = line.values.iter().enumerate().map(|(place, value)| (self.x(place), y(*value)));
            let width = if number == 0 { 3.0 } else { 1.8 };
            drawing.path(&points.collect::<Vec<_>>(), colour(number), width);
        }
        for (index, at) in self.name_places(y) {
            let line = &self.lines[index];
            drawing.bar((RIGHT + 14.0, at - 5.0), (10.0, 10.0), colour(index));
            drawing.text((RIGHT + 30.0, at + 4.5), Anchor::Start, "", &line.name);
        }
        drawing.finish()
    }

    fn x(&self, place: usize) -> f64 {
        let last = self.places.len().saturating_sub(1).max(1);
        LEFT + 24.0 + place as f64 / last as f64 * (RIGHT - LEFT - 48.0)
    }

    /// Where the names stand: beside the ends of their lines, but not on each other.
    fn name_places(&self, y: impl Fn(f64) -> f64) -> Vec<(usize, f64)> {
        let ends = self.lines.iter().enumerate();
        let mut places: Vec<(usize, f64)> =
            ends.filter_map(|(index, line)| Some((index, y(*line.values.last()?)))).collect();
        // From the lowest upwards.
        places.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut free = BOTTOM;
        for (_, place) in &mut places {
            *place = place.min(free);
            free = *place - NAME_GAP;
        }
        places
    }
}
