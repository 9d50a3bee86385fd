//! The texts of a Linux guest that are changed, as texts: shadow, passwd and sshd_config. Pure.

/// Every account that has a password.
pub(super) const EVERYBODY: &str = "*";
/// Around the lines that stand first in `sshd_config`, so that they are found again.
const BEGIN: &str = "# Palisade: first contact\n";
const END: &str = "# Palisade: end\n";

/// Where an account is at home.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub path: String,
    pub user: u32,
    pub group: u32,
}

/// A name as `useradd` takes it (useradd(8)).
pub(super) fn check_account(name: &str) -> Result<(), String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let is_name =
        !name.is_empty() && name.len() <= 32 && name.chars().all(is_part) && !name.starts_with(['-', '.']);
    is_name.then_some(()).ok_or_else(|| format!("{name:?} is no name of an account"))
}

/// One line without control characters.
pub(super) fn check_line(line: &str) -> Result<(), String> {
    let is_line = !line.trim().is_empty() && !line.chars().any(char::is_control);
    is_line.then_some(()).ok_or_else(|| format!("{line:?} is not one line of text"))
}

/// What stands first must hold for everything: a `Match` would swallow what follows.
pub(super) fn check_sshd(line: &str) -> Result<(), String> {
    let word = line.trim_start().split([' ', '\t', '=']).next().unwrap_or_default();
    if word.eq_ignore_ascii_case("match") {
        return Err(format!("{line:?} would hold the rest of sshd_config (put it into a file of its own)"));
    }
    Ok(())
}

/// A path that debugfs takes as it stands.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "/._+@:-".contains(letter);
    let is_clean = path.split('/').skip(1).all(|name| !matches!(name, "" | "." | ".."));
    if path.starts_with('/') && path.len() <= 1_024 && path.chars().all(is_part) && is_clean {
        Ok(())
    } else {
        Err(format!("{path:?} is no path that can be written (absolute; letters, digits and /._+@:- only)"))
    }
}

/// The text of `shadow` with passwords that open nothing, and how many of those that were named are locked in it (shadow(5): a `!` before the hash).
pub(super) fn lock(shadow: &str, accounts: &[String]) -> Result<(String, usize), String> {
    let everybody = accounts.iter().any(|name| name == EVERYBODY);
    let is_known = |name: &str| shadow.lines().any(|line| line.split(':').next() == Some(name));
    if let Some(missing) = accounts.iter().find(|name| *name != EVERYBODY && !is_known(name)) {
        return Err(format!("the guest has no account {missing}"));
    }
    let mut count = 0;
    let mut text = String::with_capacity(shadow.len() + 16);
    for line in shadow.split_inclusive('\n') {
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        let password = rest.split(':').next().unwrap_or_default();
        let is_open = !password.starts_with(['!', '*']);
        let is_named = accounts.iter().any(|account| account == name) || (everybody && rest.contains(':'));
        count += usize::from(is_named && (is_open || password.len() > 1));
        if is_named && is_open {
            text.extend([name, ":!", rest]);
        } else {
            text.push_str(line);
        }
    }
    Ok((text, count))
}

/// The text of `sshd_config` with lines before all others; those of an earlier time go.
pub(super) fn first(config: &str, lines: &[String]) -> String {
    let rest = match (config.strip_prefix(BEGIN), config.split_once(END)) {
        (Some(_), Some((_, rest))) => rest,
        _ => config,
    };
    let lines: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    format!("{BEGIN}{lines}{END}{rest}")
}

/// Where an account is at home, by `passwd`.
pub(super) fn home(passwd: &str, account: &str) -> Result<Home, String> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(account));
    let line = line.ok_or_else(|| format!("the guest has no account {account}"))?;
    let fields: Vec<&str> = line.split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|text| text.parse().ok());
    match (number(2), number(3), fields.get(5)) {
        (Some(user), Some(group), Some(path)) => {
            check_path(path.trim_end_matches('/'))
                .map_err(|problem| format!("home of {account}: {problem}"))?;
            Ok(Home { path: (*path).to_owned(), user, group })
        }
        _ => Err(format!("the guest's passwd has an odd line for {account}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHADOW: &str =
        "root:*:20780:0:99999:7:::\nada:$y$j9T$x:20780:0:99999:7:::\neve::20780::::::\nold:!$6$y:1::::::\n";

    #[test]
    fn a_locked_password_keeps_everything_else() {
        let (text, count) = lock(SHADOW, &["ada".into()]).unwrap();
        assert_eq!(text, SHADOW.replace("ada:$", "ada:!$"));
        assert_eq!(count, 1);
        assert_eq!(lock(&text, &["ada".into()]).unwrap(), (text, 1));
    }

    #[test]
    fn everybody_includes_accounts_without_a_password() {
        let (text, count) = lock(SHADOW, &["*".into()]).unwrap();
        assert_eq!(text, SHADOW.replace("ada:$", "ada:!$").replace("eve::", "eve:!:"));
        assert_eq!(count, 3);
        assert!(lock(SHADOW, &["mallory".into()]).unwrap_err().contains("no account mallory"));
    }

    #[test]
    fn lines_of_sshd_stand_first_and_once() {
        let lines = ["PasswordAuthentication no".to_owned(), "Port 50022".to_owned()];
        let once = first("Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n", &lines);
        assert!(once.starts_with(
            "# Palisade: first contact\nPasswordAuthentication no\nPort 50022\n# Palisade: end\nInclude "
        ));
        assert_eq!(first(&once, &lines), once);
        check_sshd("matchless yes").unwrap();
        check_sshd("\tMATCH user ada").unwrap_err();
    }

    #[test]
    fn homes_are_those_of_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1001::/srv/ada:/bin/bash\nodd:x:1\n";
        let ada = Home { path: "/srv/ada".into(), user: 1_000, group: 1_001 };
        assert_eq!(home(passwd, "ada"), Ok(ada));
        home(passwd, "odd").unwrap_err();
        home(passwd, "eve").unwrap_err();
    }

    #[test]
    fn odd_names_and_paths_are_refused() {
        for path in ["etc/x", "/etc/../x", "/etc//x", "/a b", "/a\"b", "/", "/a\n"] {
            check_path(path).unwrap_err();
        }
        check_path("/etc/nftables.conf").unwrap();
        for name in ["", "-x", "a b", "../x", "a:b"] {
            check_account(name).unwrap_err();
        }
        check_line("a\nb").unwrap_err();
    }
}
