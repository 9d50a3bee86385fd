//! How answers are printed: tables for people, JSON for programs.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON document, or one object a line where the answer is a stream.
    Json,
}

/// Prints a text with a line's end. Unlike `println!` it survives a reader that went away, as `head` does.
pub fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints one JSON document.
pub fn json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}

/// Prints rows in aligned columns under a heading.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    io::stdout().lock().write_all(columns(heading, rows).as_bytes())
}

/// Rows in aligned columns under a heading.
pub fn columns<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let heading = heading.map(str::to_owned);
    aligned(std::iter::once(&heading).chain(rows).map(<[String; N]>::as_slice))
}

/// Prints rows of one length in aligned columns, the heading first.
pub fn rows(rows: &[Vec<String>]) -> io::Result<()> {
    io::stdout().lock().write_all(aligned(rows.iter().map(Vec::as_slice)).as_bytes())
}

fn aligned<'r>(rows: impl Iterator<Item = &'r [String]> + Clone) -> String {
    let mut widths = Vec::new();
    for row in rows.clone() {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
