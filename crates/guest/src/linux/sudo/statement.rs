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

/// Those that make a rule one for a time, or for commands in another root.
const LIMITS: [&str; 3] = ["NOTBEFORE", "NOTAFTER", "CHROOT"];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Settings, for all or for what is named.
    Defaults { scope: String, settings: Vec<Setting> },
    /// Names for lists.
    Aliases(Vec<(String, Alias)>),
    /// Who may do what.
    Grants { users: Vec<String>, grants: Vec<Grant> },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) is_on: bool,
    pub(super) value: String,
}

/// A list that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alias {
    /// What is excepted has a `!` before it.
    pub(super) members: Vec<String>,
    /// Whether it is about its members whatever their sums are.
    pub(super) is_whole: bool,
}

impl Alias {
    /// Whether it stands for its members and nothing else.
    pub(super) fn is_plain(&self) -> bool {
        self.is_whole && !self.members.iter().any(|member| member.starts_with('!'))
    }
}

/// As whom a command is run: users, of which none is the user itself, and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct As {
    pub(super) users: Vec<String>,
    pub(super) groups: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// A path with its arguments, an alias or `ALL`; with a `!` before it what is excepted.
    pub(super) command: String,
    pub(super) hosts: Vec<String>,
    /// As whom it is run; `None` is root.
    pub(super) as_whom: Option<As>,
    /// Whether a password is asked for, if a tag says so.
    pub(super) asks: Option<bool>,
    /// Whether it is about its command at any time, whatever its sum is.
    pub(super) is_whole: bool,
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
                    let hosts = rest.hosts()?;
                    rest.commands(&hosts, &mut grants)?;
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

    /// Hosts with commas between them, and the sign behind them. Addresses have colons.
    fn hosts(&mut self) -> Option<Vec<String>> {
        let end = self.0.iter().position(|token| *token == Token::Mark('='))?;
        let (hosts, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        let name = |tokens: &[Token]| -> String {
            tokens
                .iter()
                .map(|token| match token {
                    Token::Word(word) => word.clone(),
                    Token::Mark(mark) => mark.to_string(),
                })
                .collect()
        };
        (end > 0).then(|| hosts.split(|token| *token == Token::Mark(',')).map(name).collect())
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
            let mut alias = Alias { members: Vec::new(), is_whole: true };
            loop {
                alias.is_whole &= !self.digests()?;
                alias.members.push(self.command()?);
                if !self.mark(',') {
                    break;
                }
            }
            aliases.push((name, alias));
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
    fn commands(&mut self, hosts: &[String], grants: &mut Vec<Grant>) -> Option<()> {
        let mut as_whom = None;
        let mut asks = None;
        let mut is_limited = false;
        loop {
            if self.mark('(') {
                as_whom = Some(self.runas()?);
            }
            while let Some(option) = self.word_before('=').filter(|word| OPTIONS.contains(word)) {
                is_limited |= LIMITS.contains(&option);
                self.0 = &self.0[2..];
                self.word()?;
            }
            while let Some(tag) = self.word_before(':').filter(|word| TAGS.contains(word)) {
                match tag {
                    "PASSWD" => asks = Some(true),
                    "NOPASSWD" => asks = Some(false),
                    _ => {}
                }
                self.0 = &self.0[2..];
            }
            let is_whole = !self.digests()? && !is_limited;
            let command = self.command()?;
            grants.push(Grant { command, hosts: hosts.to_vec(), as_whom: as_whom.clone(), asks, is_whole });
            if !self.mark(',') {
                return Some(());
            }
        }
    }

    /// Users before a colon, groups behind it.
    fn runas(&mut self) -> Option<As> {
        let is_empty = matches!(self.0.first(), Some(Token::Mark(':' | ')')));
        let users = if is_empty { Vec::new() } else { self.members()? };
        let has_groups = self.mark(':') && !matches!(self.0.first(), Some(Token::Mark(')')));
        let groups = if has_groups { self.members()? } else { Vec::new() };
        self.mark(')').then_some(As { users, groups })
    }

    /// Passes over sums of a command; whether there are any.
    fn digests(&mut self) -> Option<bool> {
        const KINDS: [&str; 4] = ["sha224", "sha256", "sha384", "sha512"];
        let mut is_any = false;
        while self.word_before(':').is_some_and(|word| KINDS.contains(&word)) {
            is_any = true;
            self.0 = &self.0[2..];
            self.word()?;
            while self.mark('=') {}
            self.mark(',');
        }
        Some(is_any)
    }

    /// A command with its arguments, a blank before each.
    fn command(&mut self) -> Option<String> {
        let mut command = self.member()?;
        while let [next, rest @ ..] = self.0 {
            match next {
                Token::Mark(',' | ':') => break,
                Token::Mark(mark) => command.extend([' ', *mark]),
                Token::Word(word) => command.extend([" ", word]),
            }
            self.0 = rest;
        }
        Some(command)
    }
}
