//! `$filter` of lists: comparisons of a few fields, joined with `and`.
//!
//! What cannot be read is refused. To take a filter for wider than it is would list too much, and Azure's clients delete
//! what a filtered list names.

use palisade_control::Document;

use crate::error::ApiError;

/// Most comparisons of one filter.
const COMPARISONS_MAX: usize = 16;

/// A filter: all of its comparisons must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    comparisons: Vec<Comparison>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    field: Field,
    is_equal: bool,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    ResourceType,
    ResourceGroup,
    Name,
    Location,
    TagName,
    TagValue,
    NamePart,
}

impl Filter {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let words = words(text).ok_or_else(|| invalid(text))?;
        let mut comparisons = Vec::new();
        for part in words.split(|word| matches!(word, Word::Bare(word) if word.eq_ignore_ascii_case("and"))) {
            comparisons.push(comparison(part).ok_or_else(|| invalid(text))?);
        }
        if comparisons.len() > COMPARISONS_MAX {
            return Err(invalid(text));
        }
        Ok(Self { comparisons })
    }

    /// Whether a resource passes.
    pub(super) fn admits(&self, document: &Document) -> bool {
        // Name and value of a tag belong together.
        let tag_name =
            self.comparisons.iter().find(|own| own.field == Field::TagName).map(|own| own.value.as_str());
        self.comparisons.iter().all(|comparison| comparison.holds(document, tag_name))
    }
}

impl Comparison {
    fn holds(&self, document: &Document, tag_name: Option<&str>) -> bool {
        let is = |text: &str| text.eq_ignore_ascii_case(&self.value);
        let found = match self.field {
            Field::ResourceType => is(document.kind().name),
            Field::ResourceGroup => document.id().segment("resourceGroups").is_some_and(is),
            Field::Name => is(document.id().name()),
            Field::NamePart => {
                document.id().name().to_ascii_lowercase().contains(&self.value.to_ascii_lowercase())
            }
            Field::Location => document.location().is_some_and(is),
            Field::TagName => tags(document).any(|(name, _)| is(name)),
            Field::TagValue => tags(document).any(|(name, value)| {
                value == self.value && tag_name.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
            }),
        };
        found == self.is_equal
    }
}

fn tags(document: &Document) -> impl Iterator<Item = (&str, &str)> {
    let tags = document.body()["tags"].as_object().into_iter().flatten();
    tags.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Bare(String),
    Text(String),
}

/// `field eq 'value'`, `field ne 'value'`, or `substringof 'value' name` once its punctuation is gone.
fn comparison(words: &[Word]) -> Option<Comparison> {
    let [Word::Bare(first), second, third] = words else { return None };
    if let (Word::Text(value), Word::Bare(field)) = (second, third) {
        let is_part = first.eq_ignore_ascii_case("substringof") && field.eq_ignore_ascii_case("name");
        return is_part.then(|| Comparison { field: Field::NamePart, is_equal: true, value: value.clone() });
    }
    let (Word::Bare(operator), Word::Text(value)) = (second, third) else { return None };
    let is_equal = match operator.to_ascii_lowercase().as_str() {
        "eq" => true,
        "ne" => false,
        _ => return None,
    };
    let field = match first.to_ascii_lowercase().as_str() {
        "resourcetype" => Field::ResourceType,
        "resourcegroup" => Field::ResourceGroup,
        "name" => Field::Name,
        "location" => Field::Location,
        "tagname" => Field::TagName,
        "tagvalue" => Field::TagValue,
        _ => return None,
    };
    Some(Comparison { field, is_equal, value: value.clone() })
}

/// Words and quoted texts; a quote is doubled inside of one.
fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        // Brackets and commas carry no meaning in what is understood here: `substringof('a', name)`.
        rest = rest.trim_start_matches([' ', '(', ')', ',']);
        let Some(first) = rest.chars().next() else { return Some(words) };
        if first != '\'' {
            let end = rest.find([' ', '(', ')', ',', '\'']).unwrap_or(rest.len());
            words.push(Word::Bare(rest[..end].to_owned()));
            rest = &rest[end..];
            continue;
        }
        let mut value = String::new();
        rest = &rest[1..];
        loop {
            let end = rest.find('\'')?;
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            let Some(more) = rest.strip_prefix('\'') else { break };
            value.push('\'');
            rest = more;
        }
        words.push(Word::Text(value));
    }
}

fn invalid(text: &str) -> ApiError {
    ApiError::bad(
        "InvalidFilterInQueryString",
        format!(
            "Invalid $filter '{text}' specified in the query string. Served are comparisons with eq and ne of \
             resourceType, resourceGroup, name, location, tagName and tagValue, and substringof('text', name), joined \
             with and."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&[(Field, bool, &str)]>) {
        let found = Filter::parse(Some(text)).ok().map(|filter| filter.comparisons);
        let expect = expect.map(|list| {
            let make = |(field, is_equal, value): &(Field, bool, &str)| Comparison {
                field: *field,
                is_equal: *is_equal,
                value: (*value).to_owned(),
            };
            list.iter().map(make).collect::<Vec<_>>()
        });
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn filters() {
        check("", Some(&[]));
        check("resourceType eq 'A/b'", Some(&[(Field::ResourceType, true, "A/b")]));
        check(
            "tagName eq 'env' and tagValue eq 'it''s'",
            Some(&[(Field::TagName, true, "env"), (Field::TagValue, true, "it's")]),
        );
        check("(name ne 'x')", Some(&[(Field::Name, false, "x")]));
        check("substringof('web', name)", Some(&[(Field::NamePart, true, "web")]));
        for wrong in [
            "name",
            "name eq",
            "name eq x",
            "name eq 'x",
            "name lt 'x'",
            "x eq 'y'",
            "name eq 'x' or name eq 'y'",
        ] {
            check(wrong, None);
        }
    }
}
