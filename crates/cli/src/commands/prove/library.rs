//! The library on the command line: a list of it, and its use without a file.

use std::io;

use palisade_analysis::intent::{LIBRARY, Parameter};
use serde_json::{Map, Value, json};

use crate::{exit::Failure, output};

/// A parameter and its words, as a person types them.
pub fn parameter(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, words) = text.split_once('=').ok_or("there is no = (write to=subnet:shop-net/web)")?;
    Ok((name.to_owned(), words.split(',').map(str::to_owned).collect()))
}

/// The file that uses the named intents: its name and text, if any is named. A parameter is given to each that has it.
pub fn used(names: &[String], with: &[(String, Vec<String>)]) -> Result<Option<(String, String)>, Failure> {
    if names.is_empty() {
        return Ok(None);
    }
    let known = |name: &str| LIBRARY.iter().find(|recipe| recipe.name.eq_ignore_ascii_case(name));
    let has = |name: &str, parameter: &str| {
        known(name).is_some_and(|recipe| recipe.parameters.iter().any(|it| it.name == parameter))
    };
    if let Some((parameter, _)) =
        with.iter().find(|(parameter, _)| !names.iter().any(|name| has(name, parameter)))
    {
        return Err(Failure::input(format!(
            "none of {} has the parameter \"{parameter}\" (palisade prove --list names them)",
            names.join(", ")
        )));
    }
    let uses = names.iter().map(|name| {
        let given = with.iter().filter(|(parameter, _)| has(name, parameter));
        let given: Map<String, Value> =
            given.map(|(parameter, words)| (parameter.clone(), json!(words))).collect();
        json!({ "use": name, "with": given })
    });
    let document = json!({ "intents": uses.collect::<Vec<_>>() });
    Ok(Some(("--library".to_owned(), document.to_string())))
}

/// Prints the library.
pub fn print() -> io::Result<()> {
    for recipe in LIBRARY {
        output::line(format!("{}\n  {}", recipe.name, recipe.description))?;
        for Parameter { name, description, default, .. } in recipe.parameters {
            let default = match default {
                None => "must be given".to_owned(),
                Some([]) => "nobody".to_owned(),
                Some(words) => words.join(","),
            };
            output::line(format!("    {name:<10} {description} [{default}]"))?;
        }
    }
    Ok(())
}
