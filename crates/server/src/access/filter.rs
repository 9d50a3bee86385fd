//! `$filter` of lists of assignments and roles, as far as clients write it.

/// What a list is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    /// Only what is assigned at the scope of the request, or above it.
    pub(super) at_scope: bool,
    /// Only of this principal.
    pub(super) principal: Option<String>,
    /// Only roles of this name.
    pub(super) role_name: Option<String>,
    /// Only `BuiltInRole` or `CustomRole`.
    pub(super) kind: Option<String>,
}

impl Filter {
    /// Reads `atScope()`, `principalId eq '..'`, `assignedTo('..')`, `roleName eq '..'`, `type eq '..'`, joined by `and`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut filter = Self::default();
        for term in split(text.trim()) {
            let term = term.trim();
            let lower = term.to_ascii_lowercase();
            if lower == "atscope()" {
                filter.at_scope = true;
            } else if let Some(name) = equal(term, &lower, "principalid") {
                filter.principal = Some(name);
            } else if let Some(name) = call(term, &lower, "assignedto") {
                filter.principal = Some(name);
            } else if let Some(name) = equal(term, &lower, "rolename") {
                filter.role_name = Some(name);
            } else if let Some(name) = equal(term, &lower, "type") {
                filter.kind = Some(name);
            } else {
                return None;
            }
        }
        Some(filter)
    }
}

/// The terms between `and`s that stand outside of quotation marks.
fn split(text: &str) -> Vec<&str> {
    let (mut terms, mut from, mut quoted) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        quoted ^= letter == '\'';
        let joins = text.get(at..at + 5).is_some_and(|joint| joint.eq_ignore_ascii_case(" and "));
        if !quoted && at >= from && joins {
            terms.push(&text[from..at]);
            from = at + 5;
        }
    }
    terms.push(&text[from..]);
    terms.retain(|term| !term.trim().is_empty());
    terms
}

/// The value of `name eq 'value'`.
fn equal(term: &str, lower: &str, name: &str) -> Option<String> {
    let rest = lower.strip_prefix(name)?.trim_start().strip_prefix("eq")?.trim_start();
    quoted(&term[term.len() - rest.len()..])
}

/// The value of `name('value')`.
fn call(term: &str, lower: &str, name: &str) -> Option<String> {
    let rest = lower.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let end = term.len() - 1;
    quoted(&term[end - rest.len()..end])
}

fn quoted(text: &str) -> Option<String> {
    Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn filters_that_clients_write() {
        let check = |text: &str, expect: Option<Filter>| assert_eq!(Filter::parse(text), expect, "{text}");
        let none = Filter::default();
        check("", Some(none.clone()));
        check("atScope()", Some(Filter { at_scope: true, ..none.clone() }));
        check("principalId eq 'a-b'", Some(Filter { principal: Some("a-b".to_owned()), ..none.clone() }));
        check(
            "atScope() and assignedTo('A-b')",
            Some(Filter { at_scope: true, principal: Some("A-b".to_owned()), ..none.clone() }),
        );
        check(
            "roleName eq 'Read and it''s' AND type eq 'BuiltInRole'",
            Some(Filter {
                role_name: Some("Read and it's".to_owned()),
                kind: Some("BuiltInRole".to_owned()),
                ..none
            }),
        );
        for text in ["principalId ne 'a'", "principalId eq a", "ä", "x()", "atScope() or atScope()"] {
            check(text, None);
        }
    }
}
