//! SPDX licence expressions: `OR`, `AND`, `WITH`, parentheses, and the old `/` that means `OR`.
//!
//! Knows the grammar (SPDX specification, annex D) and no licence. `AND` binds tighter than `OR`.

/// A parsed expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// One licence, or `LICENCE WITH EXCEPTION` as one text.
    Licence(String),
    Either(Vec<Expression>),
    Both(Vec<Expression>),
}

impl Expression {
    /// Whether the terms can be met with permitted licences alone.
    pub(super) fn permitted(&self, permits: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Licence(name) => permits(name),
            Self::Either(parts) => parts.iter().any(|part| part.permitted(permits)),
            Self::Both(parts) => parts.iter().all(|part| part.permitted(permits)),
        }
    }
}

/// Parses an expression; `None` if it is not one.
pub(super) fn parse(text: &str) -> Option<Expression> {
    let spaced = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let expression = either(&mut words)?;
    words.is_empty().then_some(expression)
}

/// `words` is a stack: the next word is its last.
fn either(words: &mut Vec<&str>) -> Option<Expression> {
    joined(words, "OR", both, Expression::Either)
}

fn both(words: &mut Vec<&str>) -> Option<Expression> {
    joined(words, "AND", single, Expression::Both)
}

fn joined(
    words: &mut Vec<&str>,
    operator: &str,
    operand: fn(&mut Vec<&str>) -> Option<Expression>,
    join: fn(Vec<Expression>) -> Expression,
) -> Option<Expression> {
    let mut parts = vec![operand(words)?];
    while words.last() == Some(&operator) {
        words.pop();
        parts.push(operand(words)?);
    }
    if parts.len() == 1 { parts.pop() } else { Some(join(parts)) }
}

fn single(words: &mut Vec<&str>) -> Option<Expression> {
    match words.pop()? {
        "(" => {
            let inner = either(words)?;
            (words.pop()? == ")").then_some(inner)
        }
        "OR" | "AND" | "WITH" | ")" => None,
        licence if words.last() == Some(&"WITH") => {
            words.pop();
            Some(Expression::Licence(format!("{licence} WITH {}", words.pop()?)))
        }
        licence => Some(Expression::Licence(licence.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(text: &str, permitted: &[&str]) -> Option<bool> {
        Some(parse(text)?.permitted(&|name| permitted.contains(&name)))
    }

    #[test]
    fn expressions_are_judged() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("MIT", &["MIT"], true),
            ("MIT", &["ISC"], false),
            ("MIT OR Apache-2.0", &["MIT"], true),
            ("MIT/Apache-2.0", &["Apache-2.0"], true),
            ("MIT AND GPL-3.0-only", &["MIT"], false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT", "Unicode-3.0"], true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT"], false),
            ("MIT OR Apache-2.0 AND Unicode-3.0", &["MIT"], true),
            ("Apache-2.0 WITH LLVM-exception", &["Apache-2.0"], false),
            ("Apache-2.0 WITH LLVM-exception", &["Apache-2.0 WITH LLVM-exception"], true),
            ("LGPL-2.1-only OR BSD-2-Clause", &["BSD-2-Clause"], true),
        ];
        for (text, permitted, expect) in cases {
            assert_eq!(met(text, permitted), Some(*expect), "{text} with {permitted:?}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "AND MIT", "Apache-2.0 WITH"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
