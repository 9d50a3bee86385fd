//! Shapes of paths: words, places for names, and at the front perhaps a scope of any length.
//!
//! Words compare without case; a match gives the id back in canonical spelling, so that nothing behind it sees how the
//! client wrote them. Names stay as they were written.

use palisade_model::ResourceId;

use super::path::Path;

/// The shape of a path, read from text such as `/subscriptions/{subscription}/resourceGroups/{group}`, or
/// `{scope}/providers/Microsoft.Resources/tags/default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    text: String,
    has_scope: bool,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word(String),
    Name,
}

/// A path that has a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The path in canonical spelling.
    pub id: ResourceId,
    /// The scope in front, if the shape has one.
    pub scope: Option<ResourceId>,
    /// What stands in the places for names, in order.
    pub names: Vec<String>,
}

impl Shape {
    /// Reads a shape.
    pub fn new(text: &str) -> Self {
        let (has_scope, rest) = match text.strip_prefix("{scope}") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let part = |text: &str| if text.starts_with('{') { Part::Name } else { Part::Word(text.to_owned()) };
        let parts = rest.split('/').filter(|text| !text.is_empty()).map(part).collect();
        Self { text: text.to_owned(), has_scope, parts }
    }

    /// The text that it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The match of a path, if it has this shape.
    pub(crate) fn matches(&self, path: &Path) -> Option<Match> {
        let segments = path.segments();
        let front = segments.len().checked_sub(self.parts.len())?;
        if front > 0 && !self.has_scope {
            return None;
        }
        let (front, own) = segments.split_at(front);
        let fits = |(part, segment): (&Part, &String)| match part {
            Part::Word(word) => word.eq_ignore_ascii_case(segment),
            Part::Name => true,
        };
        // Most rows fail here, before anything is allocated.
        if !self.parts.iter().zip(own).all(fits) {
            return None;
        }
        let scope = if self.has_scope { Some(scope(front)?) } else { None };
        let mut text = scope.as_ref().map(|scope| scope.as_str().to_owned()).unwrap_or_default();
        let mut names = Vec::new();
        for (part, segment) in self.parts.iter().zip(own) {
            text.push('/');
            match part {
                Part::Word(word) => text.push_str(word),
                Part::Name => {
                    text.push_str(segment);
                    names.push(segment.clone());
                }
            }
        }
        Some(Match { id: ResourceId::new(&text), scope, names })
    }
}

/// The id of a scope: everything, a subscription, a group, or a resource in one, with its known words in canonical spelling.
fn scope(segments: &[String]) -> Option<ResourceId> {
    const FRONT: [&str; 3] = ["subscriptions", "resourceGroups", "providers"];
    let is =
        |at: usize, word: &str| segments.get(at).is_some_and(|segment| segment.eq_ignore_ascii_case(word));
    let is_scope = match segments.len() {
        0 => true,
        2 => is(0, FRONT[0]),
        4 => is(0, FRONT[0]) && is(2, FRONT[1]),
        // A provider and pairs of a type and a name.
        length => length >= 8 && length % 2 == 0 && is(0, FRONT[0]) && is(2, FRONT[1]) && is(4, FRONT[2]),
    };
    if !is_scope {
        return None;
    }
    let spell = |(at, segment): (usize, &String)| match at {
        0 | 2 | 4 => format!("/{}", FRONT[at / 2]),
        _ => format!("/{segment}"),
    };
    Some(ResourceId::new(&segments.iter().enumerate().map(spell).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: &str, path: &str, expect: Option<(&str, Option<&str>, &[&str])>) {
        let path = Path::parse(path).unwrap();
        let found = Shape::new(shape).matches(&path);
        let found = found.as_ref().map(|found| {
            let names: Vec<_> = found.names.iter().map(String::as_str).collect();
            (found.id.as_str(), found.scope.as_ref().map(ResourceId::as_str), names)
        });
        assert_eq!(found, expect.map(|(id, scope, names)| (id, scope, names.to_vec())), "{shape}: {path}");
    }

    #[test]
    fn words_have_no_case_and_names_keep_theirs() {
        let group = "/subscriptions/{subscription}/resourceGroups/{group}";
        check(
            group,
            "/SUBSCRIPTIONS/s/resourcegroups/Rg1",
            Some(("/subscriptions/s/resourceGroups/Rg1", None, &["s", "Rg1"])),
        );
        check(group, "/subscriptions/s/resourceGroups", None);
        check(group, "/subscriptions/s/resourceGroups/a/b", None);
        check(group, "/subscriptions/s/groups/a", None);
    }

    #[test]
    fn scopes_are_of_any_length() {
        let tags = "{scope}/providers/Microsoft.Resources/tags/default";
        let tail = "/providers/microsoft.resources/TAGS/default";
        let expect = |scope: &str| format!("{scope}/providers/Microsoft.Resources/tags/default");
        for scope in [
            "",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/g",
            "/subscriptions/s/resourceGroups/g/providers/N/t/n",
            "/subscriptions/s/resourceGroups/g/providers/N/t/n/c/m",
        ] {
            check(tags, &format!("{scope}{tail}"), Some((&expect(scope), Some(scope), &[])));
        }
        for scope in [
            "/subscriptions",
            "/x/s",
            "/subscriptions/s/x/g",
            "/subscriptions/s/resourceGroups/g/providers/N",
        ] {
            check(tags, &format!("{scope}{tail}"), None);
        }
    }
}
