//! One line of sshd's settings: a keyword, and arguments with quotes and escapes.

const WHITESPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The keyword in lower case and what follows it; `None` of a line that sshd passes over: an empty one, a comment, or one whose keyword has a quote
/// that is not closed. An equals sign may stand before a keyword.
pub(super) fn keyword(line: &str) -> Result<Option<(String, String)>, String> {
    let line = line.trim_end_matches([' ', '\t', '\r', '\n', '\x0c']);
    let first = token(line);
    let found = first.and_then(|(word, rest)| if word.is_empty() { token(rest) } else { Some((word, rest)) });
    let Some((keyword, rest)) = found.filter(|(word, _)| !word.is_empty() && !word.starts_with('#')) else {
        return Ok(None);
    };
    if rest.is_empty() {
        return Err(format!("there is nothing behind \"{keyword}\""));
    }
    Ok(Some((keyword.to_ascii_lowercase(), rest.to_owned())))
}

/// The next token and what follows it: tokens end at blanks or at one equals sign, or stand in quotes.
pub(super) fn token(text: &str) -> Option<(String, &str)> {
    let Some(end) = text.find([' ', '\t', '\r', '\n', '"', '=']) else { return Some((text.to_owned(), "")) };
    let (before, rest) = text.split_at(end);
    if let Some(quoted) = rest.strip_prefix('"') {
        let (inner, behind) = quoted.split_once('"')?;
        return Some((format!("{before}{inner}"), behind.trim_start_matches(WHITESPACE)));
    }
    let is_equals = rest.starts_with('=');
    let rest = rest[1..].trim_start_matches(WHITESPACE);
    let rest = if is_equals { rest } else { rest.strip_prefix('=').unwrap_or(rest) };
    Some((before.to_owned(), rest.trim_start_matches(WHITESPACE)))
}

/// The arguments of a line, up to a comment.
pub(super) fn arguments(text: &str) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|character| matches!(character, ' ' | '\t')).is_some() {}
        match rest.peek() {
            None | Some('#') => return Ok(arguments),
            Some(_) => arguments.push(argument(&mut rest)?),
        }
    }
}

/// One argument: quotes of both kinds, and escapes of quotes, of the escape, and outside of quotes of a blank.
fn argument(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut argument = String::new();
    let mut quote = None;
    while let Some(character) = rest.next_if(|character| quote.is_some() || !matches!(character, ' ' | '\t'))
    {
        match (character, quote) {
            ('\\', _) => {
                let is_escaped =
                    |next: &char| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' ');
                argument.push(rest.next_if(is_escaped).unwrap_or('\\'));
            }
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            _ => argument.push(character),
        }
    }
    if quote.is_some() { Err("a quote is not closed".to_owned()) } else { Ok(argument) }
}
