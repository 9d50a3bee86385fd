//! Groups of horizontal bars on one scale: the label before the bar, the number behind it.

use super::svg::{Anchor, Drawing, colour, number};

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 270.0;
const LENGTH: f64 = 400.0;
const ROW: f64 = 24.0;
const TOP: f64 = 44.0;

/// The plot.
#[derive(Debug)]
pub(super) struct Bars {
    pub(super) title: &'static str,
    pub(super) groups: Vec<(String, Vec<Bar>)>,
}

/// One bar.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// Ours stands out.
    pub(super) is_ours: bool,
}

impl Bars {
    pub(super) fn draw(&self) -> String {
        let rows: usize = self.groups.iter().map(|(_, bars)| bars.len() + 1).sum();
        let longest = self.groups.iter().flat_map(|(_, bars)| bars).map(|bar| bar.value).fold(1.0, f64::max);
        let mut drawing = Drawing::new(WIDTH, TOP + rows as f64 * ROW + 12.0, self.title);
        let mut y = TOP;
        for (title, bars) in &self.groups {
            drawing.text((16.0, y + 17.0), Anchor::Start, "small", title);
            y += ROW;
            drawing.rule((LEFT, y), (LEFT, y + bars.len() as f64 * ROW));
            for bar in bars {
                // One that is too short to be seen is drawn all the same: the number says the rest.
                let length = (bar.value / longest * LENGTH).max(1.0);
                drawing.text((LEFT - 10.0, y + 16.0), Anchor::End, "", &bar.label);
                let number_of_colour = if bar.is_ours { 0 } else { 5 };
                drawing.bar((LEFT, y + 3.0), (length, ROW - 7.0), colour(number_of_colour));
                drawing.text((LEFT + length + 8.0, y + 16.0), Anchor::Start, "", &number(bar.value));
                y += ROW;
            }
        }
        drawing.finish()
    }
}
