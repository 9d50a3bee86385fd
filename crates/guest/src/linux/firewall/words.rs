//! The words of nftables, as its own scanner cuts them. Reference: `src/scanner.l` of nftables 1.0.6.

/// A word, or one of the marks `;`, `{`, `}` and `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether it stood in quotes, so that it is no mark and no word of the language.
    pub(super) is_quoted: bool,
}

impl Word {
    /// Whether it is a word of the language, or a mark.
    pub(super) fn is(&self, wanted: &str) -> bool {
        !self.is_quoted && self.text == wanted
    }
}

/// The words of a file, one after the other; an end of a line is a `;`, a comment is nothing.
#[derive(Debug)]
pub(super) struct Words {
    text: String,
    at: usize,
    /// The line of the last word, from 1.
    pub(super) line: usize,
}

impl Words {
    pub(super) const fn of(text: String) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// Takes a character.
    fn take(&mut self) -> Option<char> {
        let next = self.text[self.at..].chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Takes what comes before one of these characters.
    fn until(&mut self, end: impl Fn(char) -> bool) -> String {
        let length = self.rest().find(end).unwrap_or(self.rest().len());
        let text = self.rest()[..length].to_owned();
        self.at += length;
        text
    }

    fn quoted(&mut self) -> Word {
        let text = self.until(|character| character == '"');
        self.line += text.matches('\n').count();
        self.take();
        Word { text, is_quoted: true }
    }
}

impl Iterator for Words {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let is_end = |character: char| character.is_whitespace() || "\"#;{}=\\".contains(character);
        loop {
            // The line is that of the word and not of what follows it.
            if self.rest().starts_with('\n') {
                self.take();
                self.line += 1;
                return Some(Word { text: ";".to_owned(), is_quoted: false });
            }
            match self.take()? {
                '"' => return Some(self.quoted()),
                '#' => drop(self.until(|character| character == '\n')),
                '\\' if self.rest().starts_with('\n') => {
                    self.take();
                    self.line += 1;
                }
                mark @ (';' | '{' | '}' | '=') => {
                    return Some(Word { text: mark.to_string(), is_quoted: false });
                }
                blank if blank.is_whitespace() => {}
                first => {
                    let text = format!("{first}{}", self.until(is_end));
                    return Some(Word { text, is_quoted: false });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_ends_and_comments() {
        let text = "define p=\"a ; b\" # no; }\ntcp dport {22,80} \\\n drop;x";
        let mut words = Words::of(text.to_owned());
        let told: Vec<String> = std::iter::from_fn(|| {
            let word = words.next()?;
            Some(format!("{}{}{}", words.line, if word.is_quoted { "'" } else { " " }, word.text))
        })
        .collect();
        let expected = [
            "1 define", "1 p", "1 =", "1'a ; b", "2 ;", "2 tcp", "2 dport", "2 {", "2 22,80", "2 }",
            "3 drop", "3 ;", "3 x",
        ];
        assert_eq!(told, expected);
        assert_eq!(Words::of("\"open".to_owned()).count(), 1);
    }
}
