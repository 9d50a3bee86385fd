//! The words and marks of sudoers, as sudo's own scanner cuts them. Reference: `plugins/sudoers/toke.l` of sudo 1.9.13.

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a path or an argument, without quotes and backslashes.
    Word(String),
    /// One of `,:=()!`.
    Mark(char),
}

/// A line with what goes on in the next ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) text: &'t str,
    /// Its pieces without comments; `None` if a quote is not closed.
    pub(super) tokens: Option<Vec<Token>>,
}

/// The lines of a file that have anything in them.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut scanner = Scanner { rest: text, number: 1, in_command: false };
    let mut lines = Vec::new();
    while !scanner.rest.is_empty() {
        let (start, number) = (scanner.rest, scanner.number);
        let tokens = scanner.line();
        let text = start[..start.len() - scanner.rest.len()].trim();
        // A line of settings that are included begins as a comment does.
        let is_empty = tokens.as_ref().is_some_and(Vec::is_empty) && !text.starts_with("#include");
        if !is_empty {
            lines.push(Line { number, text, tokens });
        }
    }
    lines
}

struct Scanner<'t> {
    rest: &'t str,
    number: usize,
    /// Whether a command with its arguments is read, in which a quote is nothing.
    in_command: bool,
}

impl Scanner<'_> {
    /// Takes a line with its end.
    fn line(&mut self) -> Option<Vec<Token>> {
        let mut tokens: Option<Vec<Token>> = Some(Vec::new());
        self.in_command = false;
        while let Some(next) = self.rest.chars().next() {
            if next == '\n' {
                self.skip(1);
                break;
            }
            if let Some(token) = self.token(next) {
                let is_setting =
                    |word: &Token| matches!(word, Token::Word(word) if word.starts_with("Defaults"));
                self.in_command = match &token {
                    Some(Token::Word(word)) if !self.in_command => {
                        (word.starts_with(['/', '^']) || word == "sudoedit")
                            && !tokens.as_ref().and_then(|tokens| tokens.first()).is_some_and(is_setting)
                    }
                    Some(Token::Mark(',' | ':' | '=')) => false,
                    _ => self.in_command,
                };
                match (token, &mut tokens) {
                    (Some(token), Some(tokens)) => tokens.push(token),
                    _ => tokens = None,
                }
            }
        }
        tokens
    }

    /// Takes a piece, or what lies between pieces; the inner one is missing where a quote is not closed.
    fn token(&mut self, next: char) -> Option<Option<Token>> {
        match next {
            ' ' | '\t' | '\r' => self.skip(1),
            '\\' if self.continuation().is_some() => self.skip(self.continuation()?),
            '#' if !is_number(&self.rest[1..]) => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
            ',' | ':' | '=' | '(' | ')' | '!' => {
                self.skip(1);
                return Some(Some(Token::Mark(next)));
            }
            '"' if !self.in_command => return Some(self.quoted().map(Token::Word)),
            '^' if self.expression().is_some() => {
                let (word, _) = self.rest.split_at(self.expression()?);
                self.rest = &self.rest[word.len()..];
                return Some(Some(Token::Word(word.to_owned())));
            }
            _ => return Some(Some(Token::Word(self.word()))),
        }
        None
    }

    fn skip(&mut self, bytes: usize) {
        let (over, rest) = self.rest.split_at(bytes);
        self.number += over.matches('\n').count();
        self.rest = rest;
    }

    /// Bytes of a backslash that makes the line go on, and of the end of the line behind it.
    fn continuation(&self) -> Option<usize> {
        let behind = self.rest.strip_prefix('\\')?.trim_start_matches([' ', '\t']);
        let behind = behind.strip_prefix('\r').unwrap_or(behind).strip_prefix('\n')?;
        Some(self.rest.len() - behind.len())
    }

    /// Bytes of a regular expression, up to its dollar.
    fn expression(&self) -> Option<usize> {
        let mut is_escaped = false;
        for (at, character) in self.rest.char_indices() {
            match character {
                '\n' => return None,
                '$' if !is_escaped => return Some(at + 1),
                _ => is_escaped = character == '\\' && !is_escaped,
            }
        }
        None
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        loop {
            let mut next = self.rest.chars();
            match next.next() {
                Some('\\') if self.continuation().is_none() => word.extend(next.next()),
                Some('"') if self.in_command => word.push('"'),
                // A group that the system does not know.
                Some(':') if word == "%" => word.push(':'),
                Some(' ' | '\t' | '\r' | '\n' | ',' | ':' | '=' | '(' | ')' | '"' | '\\') | None => {
                    return word;
                }
                Some('#') if !matches!(word.as_str(), "" | "%" | "%:") => return word,
                Some(character) => word.push(character),
            }
            self.rest = next.as_str();
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let mut word = String::new();
        self.skip(1);
        loop {
            if let Some(bytes) = self.continuation() {
                self.skip(bytes);
                continue;
            }
            let mut next = self.rest.chars();
            match next.next() {
                Some('"') => {
                    self.skip(1);
                    return Some(word);
                }
                Some('\\') if next.as_str().starts_with('"') => {
                    word.push('"');
                    self.skip(1);
                }
                Some('\n') | None => return None,
                Some(character) => word.push(character),
            }
            let bytes = self.rest.chars().next().map_or(0, char::len_utf8);
            self.skip(bytes);
        }
    }
}

/// Whether what stands behind a `#` makes it the number of an account, and no comment.
fn is_number(behind: &str) -> bool {
    behind.strip_prefix('-').unwrap_or(behind).starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let token = |token: &Token| match token {
            Token::Word(word) => format!("<{word}>"),
            Token::Mark(mark) => mark.to_string(),
        };
        let line = |line: Line<'_>| {
            let tokens = line.tokens.map(|tokens| tokens.iter().map(token).collect::<String>());
            format!("{} {}", line.number, tokens.unwrap_or_else(|| "?".to_owned()))
        };
        lines(text).into_iter().map(line).collect()
    }

    #[test]
    fn lines_are_cut_as_sudo_cuts_them() {
        let cases = [
            ("a ALL=(ALL) \\\n NOPASSWD :ALL\nb\n", &["1 <a><ALL>=(<ALL>)<NOPASSWD>:<ALL>", "3 <b>"][..]),
            (
                "#1000 ALL=ALL # why \\\n%#5,%:g ALL=ALL",
                &["1 <#1000><ALL>=<ALL>", "2 <%#5>,<%:g><ALL>=<ALL>"],
            ),
            ("# only \\\n\n  \nc\\ d \"e \\\" f\"", &["4 <c d><e \" f>"]),
            ("a = ^/bin/(x|y),:z$ !b\r\n", &["1 <a>=<^/bin/(x|y),:z$>!<b>"]),
            ("a b=/x \", y: z, /x\"", &["1 <a><b>=</x><\">,<y>:<z>,</x><\">"]),
            ("\"open\nb\\", &["1 ?", "2 <b>"]),
            ("#include x\n#includes\n", &["1 ", "2 "]),
        ];
        for (text, expect) in cases {
            assert_eq!(told(text), expect, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_comes_to_its_end(text in "([a:=,()!\"#^$/ %1-]|\\\\|\\n|\\r|é){0,40}") {
            let numbers: Vec<usize> = lines(&text).iter().map(|line| line.number).collect();
            proptest::prop_assert!(numbers.is_sorted());
        }
    }
}
