//! The range of keys that begin with a prefix: from the prefix itself to the first key after all of them.
//!
//! Keys are compared byte by byte, which for UTF-8 is the order of code points.

/// The first key after all that begin with `prefix`; none if there can be no such key.
pub(crate) fn end(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        if let Some(next) = successor(last) {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

/// The next code point; ranges over `char` skip the surrogates.
fn successor(of: char) -> Option<char> {
    (of..=char::MAX).nth(1)
}

#[cfg(test)]
mod tests {
    use super::end;

    #[test]
    fn ends_after_every_key_with_the_prefix() {
        for (prefix, expected) in [
            ("", None),
            ("a", Some("b")),
            ("r/", Some("r0")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("\u{d7ff}", Some("\u{e000}")),
            ("ä", Some("å")),
        ] {
            assert_eq!(end(prefix).as_deref(), expected, "{prefix:?}");
        }
    }
}
