//! JSON of the server as tables for people. What is missing shows as a dash.

use std::io;

use serde_json::Value;

use crate::output::{self, Format};

/// A column: its heading, and how its text is found in an item.
pub type Column = (&'static str, fn(&Value) -> String);

/// What stands where nothing is.
pub const NOTHING: &str = "-";

/// Prints a list in the form that was asked for.
pub fn list<const N: usize>(form: Format, columns: [Column; N], items: &[Value]) -> io::Result<()> {
    match form {
        Format::Json => output::json(&items),
        Format::Table => table(columns, items),
    }
}

/// Prints a list as a table.
pub fn table<const N: usize>(columns: [Column; N], items: &[Value]) -> io::Result<()> {
    let rows: Vec<_> = items.iter().map(|item| columns.map(|(_, text)| text(item))).collect();
    output::table(columns.map(|(heading, _)| heading), &rows)
}

/// Prints the members of an item that are there, each on a line after its label.
pub fn members(item: &Value, labels: &[(&str, &str)]) -> io::Result<()> {
    let width = labels.iter().map(|(label, _)| label.len() + 1).max().unwrap_or_default();
    for (label, pointer) in labels {
        let text = text(item, pointer);
        if text != NOTHING {
            output::line(format_args!("{label:<width$} {text}"))?;
        }
    }
    Ok(())
}

/// The text of a member, by a JSON pointer.
pub fn text(item: &Value, pointer: &str) -> String {
    match item.pointer(pointer) {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) if text.is_empty() => NOTHING.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(","),
        Some(other) => other.to_string(),
    }
}

/// The first of these members that has a text.
pub fn first(item: &Value, pointers: &[&str]) -> String {
    let found = pointers.iter().map(|pointer| text(item, pointer)).find(|text| text != NOTHING);
    found.unwrap_or_else(|| NOTHING.to_owned())
}

/// The segment of an id that follows another.
pub fn segment(item: &Value, pointer: &str, before: &str) -> String {
    let id = text(item, pointer);
    let mut segments = id.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case(before));
    segments.nth(1).unwrap_or(NOTHING).to_owned()
}
