//! A drawing of lines, boxes and text. Coordinates are pixels from the upper left corner.

use std::fmt::Write as _;

/// Colours of lines and boxes by number; the first is ours. They keep their distance from white, from black and from each
/// other, also for most who do not see all colours (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#8c8c8c"];

/// What colours cannot say: ink is dark on a light page and light on a dark one.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:12px;fill:#59636e}\
.title{font-weight:600;font-size:14px}.axis{stroke:#59636e;stroke-opacity:.35;fill:none}\
.tile{stroke:#59636e;stroke-opacity:.25;fill-opacity:.3}.empty{fill:none}.calm{fill:#0072b2}.loud{fill:#d55e00}\
.doubtful{fill:#e69f00}.cut{fill:#8c8c8c;stroke-dasharray:3 2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.axis{stroke:#9198a1}}";

/// Which end of a text is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The left one.
    Start,
    /// Neither: its middle is.
    Middle,
    /// The right one.
    End,
}

/// What a box is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    /// Nothing.
    Empty,
    /// Blue.
    Calm,
    /// Red.
    Loud,
    /// Orange.
    Doubtful,
    /// Grey, with a broken border.
    Cut,
}

impl Tint {
    const fn class(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Calm => "calm",
            Self::Loud => "loud",
            Self::Doubtful => "doubtful",
            Self::Cut => "cut",
        }
    }
}

/// A document under construction.
#[derive(Debug)]
pub struct Drawing {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// Colour of the series with this number.
pub fn colour(number: usize) -> &'static str {
    COLOURS[number % COLOURS.len()]
}

impl Drawing {
    /// An empty one; the title is written above it and read to those who cannot see it.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        let (description, body) = (String::new(), String::new());
        let mut drawing = Self { width, height, title: escape(title), description, body };
        drawing.text((16.0, 26.0), Anchor::Start, "title", title);
        drawing
    }

    /// Says at more length what is to be seen, for those who cannot see it.
    pub fn describe(&mut self, text: &str) {
        self.description = escape(text);
    }

    /// A text, with the point that it is anchored to.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.element(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// A box without a border.
    pub fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        self.element(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" fill=\"{colour}\"/>"
        ));
    }

    /// A box with a text in its middle. The tip is shown to who points at it.
    pub fn tile(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        tint: Tint,
        [text, tip]: [&str; 2],
    ) {
        let class = tint.class();
        let (middle, base, text, tip) = (x + width / 2.0, y + height / 2.0 + 4.0, escape(text), escape(tip));
        self.element(format_args!(
            "<g><title>{tip}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"3\" class=\"tile {class}\"/><text x=\"{middle:.1}\" y=\"{base:.1}\" text-anchor=\"middle\" \
             class=\"small\">{text}</text></g>"
        ));
    }

    /// A line.
    pub fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.element(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"axis\"/>"
        ));
    }

    /// A line through points, each with a dot.
    pub fn path(&mut self, points: &[(f64, f64)], colour: &str, width: f64) {
        let list: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.element(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            list.join(" ")
        ));
        for (x, y) in points {
            self.element(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"));
        }
    }

    /// The document.
    pub fn finish(self) -> String {
        let Self { width, height, title, description, body } = self;
        let description = match description.is_empty() {
            true => description,
            false => format!("<title>{title}</title>\n<desc>{description}</desc>\n"),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\" aria-label=\"{title}\">\n{description}<style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("writing to a string cannot fail");
    }
}

/// A number as people write it: whole, with thousands apart.
pub fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
