//! What a line of sudoers says: settings, aliases, or who may do what. Reference: `plugins/sudoers/gram.y` of sudo 1.9.13.

use super::token::Token;

/// Words that change how a command is run, before a colon.
const TAGS: [&str; 16] = [
    "EXEC",
    "NOEXEC",
    "FOLLOW",
    "NOFOLLOW",
    "INTERCEPT",
    "NOINTERCEPT",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "PASSWD",
    "NOPASSWD",
    "SETENV",
    "NOSETENV",
];
/// The same, before an equals sign and a value.
const OPTIONS: [&str; 10] = [
    "ROLE",
    "TYPE",
    "APPARMOR_PROFILE",
    "PRIVS",
    "LIMITPRIVS",
    "TIMEOUT",
    "NOTBEFORE",
    "NOTAFTER",
    "CWD",
    "CHROOT",
];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Settings, for all or for what is named.
    Defaults { scope: String, settings: Vec<Setting> },
    /// Names for lists; what is excepted from a list has a `!` before it.
    Aliases(Vec<(String, Vec<String>)>),
    /// Who may do what.
    Grants { users: Vec<String>, grants: Vec<Grant> },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) is_on: bool,
    pub(super) value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// A path, an alias or `ALL`; with a `!` before it what is excepted.
    pub(super) command: String,
    /// As whom it is run; `None` is root, nobody the user itself.
    pub(super) as_whom: Option<Vec<String>>,
    pub(super) asks: bool,
}

impl Statement {
    /// Reads a line; `None` if it is not understood.
    pub(super) fn read(tokens: &[Token]) -> Option<Self> {
        let mut rest = Rest(tokens);
        let first = match tokens.first()? {
            Token::Word(word) => word.as_str(),
            Token::Mark(_) => "",
        };
        match first.strip_prefix("Defaults") {
            Some(behind) if behind.is_empty() || behind.starts_with(['@', '>', '!']) => rest.defaults(),
            _ if matches!(
                first,
                "User_Alias" | "Runas_Alias" | "Host_Alias" | "Cmnd_Alias" | "Cmd_Alias"
            ) =>
            {
                rest.word()?;
                rest.aliases()
            }
            _ => {
                let users = rest.members()?;
                let mut grants = Vec::new();
                loop {
                    rest.hosts()?;
                    rest.commands(&mut grants)?;
                    if rest.0.is_empty() {
                        return Some(Self::Grants { users, grants });
                    }
                    rest.mark(':').then_some(())?;
                }
            }
        }
    }
}

/// What is left of a line.
struct Rest<'t>(&'t [Token]);

impl Rest<'_> {
    fn mark(&mut self, wanted: char) -> bool {
        let is_there = self.0.first() == Some(&Token::Mark(wanted));
        if is_there {
            self.0 = &self.0[1..];
        }
        is_there
    }

    fn word(&mut self) -> Option<String> {
        let (Token::Word(word), rest) = self.0.split_first()? else { return None };
        self.0 = rest;
        Some(word.clone())
    }

    /// A word before a mark.
    fn word_before(&self, mark: char) -> Option<&str> {
        match self.0 {
            [Token::Word(word), Token::Mark(next), ..] if *next == mark => Some(word),
            _ => None,
        }
    }

    fn is_negated(&mut self) -> bool {
        let mut is_negated = false;
        while self.mark('!') {
            is_negated = !is_negated;
        }
        is_negated
    }

    fn member(&mut self) -> Option<String> {
        let sign = if self.is_negated() { "!" } else { "" };
        Some(format!("{sign}{}", self.word()?))
    }

    /// Names with commas between them.
    fn members(&mut self) -> Option<Vec<String>> {
        let mut members = vec![self.member()?];
        while self.mark(',') {
            members.push(self.member()?);
        }
        Some(members)
    }

    /// Passes over hosts and the sign behind them.
    fn hosts(&mut self) -> Option<()> {
        let end = self.0.iter().position(|token| *token == Token::Mark('='))?;
        self.0 = &self.0[end + 1..];
        (end > 0).then_some(())
    }

    fn defaults(&mut self) -> Option<Statement> {
        let mut scope = self.word()?;
        let is_named = self.mark(':');
        if is_named {
            scope.push(':');
        }
        if scope.ends_with([':', '@', '>', '!']) {
            scope.push_str(&self.member()?);
        }
        while (is_named || scope != "Defaults") && self.mark(',') {
            scope.push(',');
            scope.push_str(&self.member()?);
        }
        let mut settings = Vec::new();
        loop {
            let is_on = !self.is_negated();
            let name = self.word()?;
            let mut value = String::new();
            if self.word_before('=').is_some_and(|word| matches!(word, "+" | "-")) {
                self.word()?;
            }
            let has_value = self.mark('=');
            while has_value && !self.0.is_empty() && self.0[0] != Token::Mark(',') {
                match &self.0[0] {
                    Token::Word(word) => value.push_str(word),
                    Token::Mark(mark) => value.push(*mark),
                }
                self.0 = &self.0[1..];
            }
            settings.push(Setting { name, is_on, value });
            if !self.mark(',') {
                return self.0.is_empty().then_some(Statement::Defaults { scope, settings });
            }
        }
    }

    fn aliases(&mut self) -> Option<Statement> {
        let mut aliases = Vec::new();
        loop {
            let name = self.word()?;
            self.mark('=').then_some(())?;
            let mut members = Vec::new();
            loop {
                self.digests()?;
                members.push(self.command()?);
                if !self.mark(',') {
                    break;
                }
            }
            aliases.push((name, members));
            if self.0.is_empty() {
                return Some(Statement::Aliases(aliases));
            }
            // Addresses of hosts have colons.
            while self.mark(':') && self.word_before('=').is_none() {
                while matches!(self.0.first(), Some(Token::Word(_) | Token::Mark(','))) {
                    self.0 = &self.0[1..];
                }
                if self.0.is_empty() {
                    return Some(Statement::Aliases(aliases));
                }
            }
        }
    }

    /// Commands with commas between them; as whom and whether a password is asked for holds on.
    fn commands(&mut self, grants: &mut Vec<Grant>) -> Option<()> {
        let mut as_whom = None;
        let mut asks = true;
        loop {
            if self.mark('(') {
                as_whom = Some(self.runas()?);
            }
            while self.word_before('=').is_some_and(|word| OPTIONS.contains(&word)) {
                self.0 = &self.0[2..];
                self.word()?;
            }
            while let Some(tag) = self.word_before(':').filter(|word| TAGS.contains(word)) {
                asks = if tag == "NOPASSWD" { false } else { asks || tag == "PASSWD" };
                self.0 = &self.0[2..];
            }
            self.digests()?;
            let command = self.command()?;
            grants.push(Grant { command, as_whom: as_whom.clone(), asks });
            if !self.mark(',') {
                return Some(());
            }
        }
    }

    /// Users before a colon, groups behind it.
    fn runas(&mut self) -> Option<Vec<String>> {
        let is_empty = matches!(self.0.first(), Some(Token::Mark(':' | ')')));
        let users = if is_empty { Vec::new() } else { self.members()? };
        if self.mark(':') && !matches!(self.0.first(), Some(Token::Mark(')'))) {
            self.members()?;
        }
        self.mark(')').then_some(users)
    }

    /// Passes over sums of a command.
    fn digests(&mut self) -> Option<()> {
        const KINDS: [&str; 4] = ["sha224", "sha256", "sha384", "sha512"];
        while self.word_before(':').is_some_and(|word| KINDS.contains(&word)) {
            self.0 = &self.0[2..];
            self.word()?;
            while self.mark('=') {}
            self.mark(',');
        }
        Some(())
    }

    /// A command with its arguments, of which only the first word is told.
    fn command(&mut self) -> Option<String> {
        let command = self.member()?;
        while !matches!(self.0.first(), None | Some(Token::Mark(',' | ':'))) {
            self.0 = &self.0[1..];
        }
        Some(command)
    }
}
