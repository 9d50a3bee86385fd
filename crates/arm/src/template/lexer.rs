//! Expression text to tokens.
//!
//! The text is what stands between the outer brackets of a template string. Strings are in single quotes, a
//! quote inside is doubled; there are no escapes. Numbers are whole. Names may hold letters, digits, `_` and `$`.

/// One token and the offset of its first byte.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) offset: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Name(String),
    Text(String),
    Int(i64),
    Open,
    Close,
    OpenIndex,
    CloseIndex,
    Comma,
    Dot,
}

/// A character no expression may hold, or a number or string that does not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LexError {
    #[error("the string is not closed at position {0}")]
    OpenString(usize),
    #[error("unexpected character '{found}' at position {offset}")]
    Character { found: char, offset: usize },
    #[error("the number '{text}' at position {offset} is out of range")]
    Number { text: String, offset: usize },
}

/// All tokens of an expression.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, LexError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let offset = text.len() - rest.len();
        if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (kind, length) = next(rest, c, offset)?;
        tokens.push(Token { kind, offset });
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// The token at the start of `rest`, and its length in bytes.
fn next(rest: &str, first: char, offset: usize) -> Result<(TokenKind, usize), LexError> {
    let single = |kind| Ok((kind, 1));
    match first {
        '(' => single(TokenKind::Open),
        ')' => single(TokenKind::Close),
        '[' => single(TokenKind::OpenIndex),
        ']' => single(TokenKind::CloseIndex),
        ',' => single(TokenKind::Comma),
        '.' => single(TokenKind::Dot),
        '\'' => string(rest, offset),
        '-' | '+' | '0'..='9' => number(rest, offset),
        c if is_name_start(c) => {
            let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            Ok((TokenKind::Name(rest[..length].to_owned()), length))
        }
        found => Err(LexError::Character { found, offset }),
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn string(rest: &str, offset: usize) -> Result<(TokenKind, usize), LexError> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let Some(quote) = rest[at..].find('\'') else { return Err(LexError::OpenString(offset)) };
        text.push_str(&rest[at..at + quote]);
        at += quote + 1;
        if !rest[at..].starts_with('\'') {
            return Ok((TokenKind::Text(text), at));
        }
        text.push('\'');
        at += 1;
    }
}

fn number(rest: &str, offset: usize) -> Result<(TokenKind, usize), LexError> {
    let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| n + 1);
    let text = &rest[..digits];
    match text.parse() {
        Ok(value) => Ok((TokenKind::Int(value), digits)),
        Err(_) => Err(LexError::Number { text: text.to_owned(), offset }),
    }
}
