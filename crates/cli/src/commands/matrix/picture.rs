//! A matrix as a picture: a row for each sender, a column for each receiver, the services in the box where they meet.
//!
//! Colours only repeat what the words in a box say. Who points at a box sees everything that is said of it.

use palisade_analysis::{
    Terms,
    matrix::{Outcome, Route},
};
use palisade_bench::plot::svg::{Anchor, Drawing, Tint};

use super::{
    table,
    view::{Shown, View, is_nothing},
};

/// Most rows or columns of a picture that can be read.
const ENDS_MAX: usize = 60;
const LEFT: f64 = 250.0;
const WIDTH: f64 = 86.0;
const HEIGHT: f64 = 30.0;
const GAP: f64 = 3.0;
/// Above the rows of a family: its name, and numbers of columns.
const HEAD: f64 = 52.0;
const TOP: f64 = 36.0;
const LEGEND: f64 = 64.0;
/// Characters that fit a box, and the space for names.
const BOX_CHARACTERS: usize = 13;
const NAME_CHARACTERS: usize = 32;

/// What the legend shows, and says of it.
const SAMPLES: [(Tint, &str, &str); 5] = [
    (Tint::Loud, "all", "everything"),
    (Tint::Calm, "ssh", "some services; ~ some addresses"),
    (Tint::Doubtful, "?", "not known"),
    (Tint::Cut, "no route", "allowed, but no route"),
    (Tint::Empty, "", "denied"),
];

/// The picture of all families, one below the other.
pub fn picture(views: &[View]) -> Result<String, String> {
    let largest = views.iter().map(|view| view.from.len().max(view.to.len())).max().unwrap_or_default();
    if largest > ENDS_MAX {
        return Err(format!(
            "a picture of {largest} rows or columns cannot be read (at most {ENDS_MAX}: choose some with --from and --to)"
        ));
    }
    let columns = views.iter().map(|view| view.to.len()).max().unwrap_or_default();
    let legends: f64 = SAMPLES.iter().map(|(_, _, words)| legend_width(words)).sum();
    let width = 16.0 + (LEFT + columns as f64 * (WIDTH + GAP)).max(legends);
    let height: f64 = views.iter().map(|view| HEAD + view.from.len() as f64 * (HEIGHT + GAP)).sum();
    let mut drawing = Drawing::new(width, TOP + height + LEGEND, "Who can reach whom on what");
    drawing.describe(&described(views));
    let mut y = TOP;
    for view in views {
        y = family(&mut drawing, view, y);
    }
    legend(&mut drawing, y + 16.0);
    Ok(drawing.finish())
}

/// Everything that the picture shows, as text.
fn described(views: &[View]) -> String {
    let line = |view: &View, cell: &Shown| {
        format!("{} to {}: {}.", view.from[cell.from].label, view.to[cell.to].label, tip(cell))
    };
    let all = views.iter().flat_map(|view| view.cells.iter().map(move |cell| line(view, cell)));
    format!("{} Everything else is denied.", all.collect::<Vec<_>>().join(" "))
}

/// Draws one family from `top` on; where it ends.
fn family(drawing: &mut Drawing, view: &View, top: f64) -> f64 {
    drawing.text((16.0, top + 22.0), Anchor::Start, "title", &format!("{}: from, to", view.family));
    let column = |number: usize| LEFT + number as f64 * (WIDTH + GAP);
    for (number, end) in view.to.iter().enumerate() {
        let name = cut(&end.label, BOX_CHARACTERS);
        drawing.text((column(number) + WIDTH / 2.0, top + HEAD - 8.0), Anchor::Middle, "small", &name);
    }
    let mut y = top + HEAD;
    for (row, from) in view.from.iter().enumerate() {
        let more = match from.members.len() {
            0 | 1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        let name = cut(&format!("{}{more}", from.label), NAME_CHARACTERS);
        drawing.text((LEFT - 10.0, y + HEIGHT / 2.0 + 4.0), Anchor::End, "", &name);
        for (number, to) in view.to.iter().enumerate() {
            if is_nothing(from, to) {
                continue;
            }
            let names = format!("{} to {}: ", from.label, to.label);
            let (tint, words, tip) = match view.cell(row, number) {
                None => (Tint::Empty, String::new(), "denied".to_owned()),
                Some(cell) => (tint(cell), short(cell), tip(cell)),
            };
            let tip = format!("{names}{tip}");
            drawing.tile((column(number), y), (WIDTH, HEIGHT), tint, [&words, &tip]);
        }
        y += HEIGHT + GAP;
    }
    y
}

fn tint(cell: &Shown) -> Tint {
    match (&cell.route, &cell.said[0]) {
        (Route::No(_), _) => Tint::Cut,
        (_, (Outcome::Allowed | Outcome::Partly, Terms::All, _)) => Tint::Loud,
        (_, (Outcome::Allowed | Outcome::Partly, _, _)) => Tint::Calm,
        _ => Tint::Doubtful,
    }
}

/// The first of what is said, as much as fits a box.
fn short(cell: &Shown) -> String {
    let (outcome, services, _) = &cell.said[0];
    let all = matches!(cell.route, Route::No(_));
    let mark = match outcome {
        _ if all => "no route",
        Outcome::Partly => "~",
        Outcome::Unknown | Outcome::Denied => "? ",
        Outcome::Allowed => "",
    };
    let words = match services {
        _ if all => String::new(),
        Terms::All => "all".to_owned(),
        Terms::AllBut(terms) => format!("all but {}", terms.len()),
        Terms::Of(terms) | Terms::But(_, terms) => match &terms[..] {
            [one] => plain(one).to_owned(),
            [first, others @ ..] => format!("{} +{}", plain(first), others.len()),
            [] => String::new(),
        },
    };
    let more = if cell.said.len() > 1 && !all { " ?" } else { "" };
    cut(&format!("{mark}{words}{more}"), BOX_CHARACTERS)
}

/// The name of a service where it has one, else its number.
fn plain(term: &str) -> &str {
    let name = term.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    name.unwrap_or(term)
}

/// Everything that is said of a cell.
fn tip(cell: &Shown) -> String {
    let said: Vec<String> =
        cell.said.iter().map(|(outcome, services, _)| table::said(*outcome, services)).collect();
    let note = table::note(cell);
    let note = if note.is_empty() { note } else { format!(" ({note})") };
    format!("{}{note}", said.join("; "))
}

fn legend(drawing: &mut Drawing, y: f64) {
    let mut x = 16.0;
    for (tint, sample, words) in SAMPLES {
        drawing.tile((x, y), (56.0, 20.0), tint, [sample, words]);
        drawing.text((x + 62.0, y + 14.0), Anchor::Start, "small", words);
        x += legend_width(words);
    }
}

fn legend_width(words: &str) -> f64 {
    62.0 + 7.0 * words.len() as f64 + 14.0
}

/// A text of at most so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.chars().count() {
        long if long > most => text.chars().take(most - 1).chain(['…']).collect(),
        _ => text.to_owned(),
    }
}
