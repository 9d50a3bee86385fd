//! Which template a parameter file is for, when the user names both.
//!
//! Azure deploys one template at a time, so there it is never a question. Here it is: the answer is the only template, or
//! the one whose name the parameter file carries (`X.parameters.json` for `X.json`). Anything else is a problem, not a
//! guess. A parameter file beside its template that nobody names is found by `palisade_arm`.

use std::path::Path;

use palisade_arm::estate::{Document, File};

use super::problem::{Code, Problem};

/// Gives each of `parameters` to its template.
pub(super) fn assign(documents: &mut [Document], parameters: Vec<File>, problems: &mut Vec<Problem>) {
    for file in parameters {
        let refusal = match candidates(documents, &file.name)[..] {
            [only] if documents[only].parameters.is_none() => {
                documents[only].parameters = Some(file);
                continue;
            }
            [only] => format!("{} has a parameter file already (merge the two)", documents[only].file.name),
            [] => "there is no template that it could be for (name the template too)".to_owned(),
            _ => "it could be for several templates (call it X.parameters.json for X.json, or name one template)"
                .to_owned(),
        };
        problems.push(Problem::about_file(Code::ParametersUnpaired, Path::new(&file.name), refusal));
    }
}

/// Indexes of the templates that a parameter file could be for: those of its name if there are any, else all.
fn candidates(documents: &[Document], name: &str) -> Vec<usize> {
    let templates = documents.iter().enumerate().filter(|(_, document)| is_template(&document.file.text));
    let (of_its_name, others): (Vec<_>, Vec<_>) =
        templates.partition(|(_, document)| carries_name(name, &document.file.name));
    let chosen = if of_its_name.is_empty() { others } else { of_its_name };
    chosen.into_iter().map(|(index, _)| index).collect()
}

/// Whether `parameters` is called after `template`: its stem, a dot, and more.
fn carries_name(parameters: &str, template: &str) -> bool {
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let (parameters, template) = (file_name(parameters), file_name(template));
    let stem = template.rsplit_once('.').map_or(template.as_str(), |(stem, _)| stem);
    parameters.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
}

/// Templates say so in their `$schema`, which Azure requires.
fn is_template(text: &str) -> bool {
    const MARK: &[u8] = b"deploymenttemplate.json";
    text.as_bytes().windows(MARK.len()).any(|window| window.eq_ignore_ascii_case(MARK))
}
