//! Words of sshd's settings that are understood: what values they take, whether several add up, whether they may stand in a `Match`, and
//! what holds where they are not set.

/// What becomes of several lines with one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    /// The first holds.
    First,
    /// The first holds, and its values are told in one line.
    Joined,
    /// All hold.
    All,
}

/// What values a word takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One of these; some stand for others.
    Choice(&'static [(&'static str, &'static str)]),
    Number,
    /// Seconds, also as `1h30m`.
    Span,
    /// A number between 1 and 65535.
    Port,
    /// One text.
    Text,
    /// Any number of texts.
    Texts,
    /// The rest of the line.
    Rest,
}

/// A word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) name: &'static str,
    pub(super) many: Many,
    pub(super) may_match: bool,
    kind: Kind,
    default: &'static [&'static str],
}

const YES_NO: Kind = Kind::Choice(&[("yes", "yes"), ("no", "no")]);
const FORWARDING: Kind =
    Kind::Choice(&[("yes", "yes"), ("all", "yes"), ("no", "no"), ("remote", "remote"), ("local", "local")]);
const ROOT: Kind = Kind::Choice(&[
    ("without-password", "without-password"),
    ("prohibit-password", "without-password"),
    ("forced-commands-only", "forced-commands-only"),
    ("yes", "yes"),
    ("no", "no"),
]);
const GATEWAY: Kind = Kind::Choice(&[("clientspecified", "clientspecified"), ("yes", "yes"), ("no", "no")]);
const RHOSTS: Kind = Kind::Choice(&[("yes", "yes"), ("no", "no"), ("shosts-only", "shosts-only")]);
const TUNNEL: Kind = Kind::Choice(&[
    ("no", "no"),
    ("yes", "yes"),
    ("point-to-point", "point-to-point"),
    ("ethernet", "ethernet"),
]);
const LEVEL: Kind = Kind::Choice(&[
    ("silent", "SILENT"),
    ("quiet", "SILENT"),
    ("fatal", "FATAL"),
    ("error", "ERROR"),
    ("info", "INFO"),
    ("verbose", "VERBOSE"),
    ("debug", "DEBUG"),
    ("debug1", "DEBUG"),
    ("debug2", "DEBUG2"),
    ("debug3", "DEBUG3"),
]);

const fn word(name: &'static str, kind: Kind, may_match: bool, default: &'static [&'static str]) -> Word {
    Word { name, many: Many::First, may_match, kind, default }
}

const fn list(
    name: &'static str,
    many: Many,
    kind: Kind,
    may_match: bool,
    default: &'static [&'static str],
) -> Word {
    Word { name, many, may_match, kind, default }
}

static WORDS: [Word; 35] = [
    list("acceptenv", Many::All, Kind::Texts, true, &[]),
    word("allowagentforwarding", YES_NO, true, &["yes"]),
    list("allowgroups", Many::All, Kind::Texts, true, &[]),
    word("allowstreamlocalforwarding", FORWARDING, true, &["yes"]),
    word("allowtcpforwarding", FORWARDING, true, &["yes"]),
    list("allowusers", Many::All, Kind::Texts, true, &[]),
    list("authenticationmethods", Many::Joined, Kind::Texts, true, &["any"]),
    list(
        "authorizedkeysfile",
        Many::Joined,
        Kind::Texts,
        true,
        &[".ssh/authorized_keys", ".ssh/authorized_keys2"],
    ),
    word("banner", Kind::Text, true, &["none"]),
    word("chrootdirectory", Kind::Text, true, &["none"]),
    word("clientalivecountmax", Kind::Number, true, &["3"]),
    word("clientaliveinterval", Kind::Span, true, &["0"]),
    list("denygroups", Many::All, Kind::Texts, true, &[]),
    list("denyusers", Many::All, Kind::Texts, true, &[]),
    word("disableforwarding", YES_NO, true, &["no"]),
    word("forcecommand", Kind::Rest, true, &["none"]),
    word("gatewayports", GATEWAY, true, &["no"]),
    word("hostbasedauthentication", YES_NO, true, &["no"]),
    word("ignorerhosts", RHOSTS, true, &["yes"]),
    word("kbdinteractiveauthentication", YES_NO, true, &["yes"]),
    word("logingracetime", Kind::Span, false, &["120"]),
    word("loglevel", LEVEL, true, &["INFO"]),
    word("maxauthtries", Kind::Number, true, &["6"]),
    word("maxsessions", Kind::Number, true, &["10"]),
    word("passwordauthentication", YES_NO, true, &["yes"]),
    word("permitemptypasswords", YES_NO, true, &["no"]),
    word("permitrootlogin", ROOT, true, &["without-password"]),
    word("permittty", YES_NO, true, &["yes"]),
    word("permittunnel", TUNNEL, true, &["no"]),
    word("permituserenvironment", Kind::Text, false, &["no"]),
    list("port", Many::All, Kind::Port, false, &["22"]),
    word("pubkeyauthentication", YES_NO, true, &["yes"]),
    word("strictmodes", YES_NO, false, &["yes"]),
    word("usepam", YES_NO, false, &["no"]),
    word("x11forwarding", YES_NO, true, &["no"]),
];

/// Other names of words.
const ALIASES: [(&str, &str); 3] = [
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
];

/// Words that sshd knows, today or since long, and that nothing is asked of here.
const OTHERS: &[&str] = &[
    "addressfamily",
    "authorizedkeyscommand",
    "authorizedkeyscommanduser",
    "authorizedprincipalscommand",
    "authorizedprincipalscommanduser",
    "authorizedprincipalsfile",
    "canonicaldomains",
    "casignaturealgorithms",
    "channeltimeout",
    "ciphers",
    "compression",
    "debianbanner",
    "exposeauthinfo",
    "fingerprinthash",
    "gssapiauthentication",
    "gssapicleanupcredentials",
    "gssapikeyexchange",
    "gssapikexalgorithms",
    "gssapistorecredentialsonrekey",
    "gssapistrictacceptorcheck",
    "hostbasedacceptedalgorithms",
    "hostbasedacceptedkeytypes",
    "hostbasedusesnamefrompacketonly",
    "hostcertificate",
    "hostdsakey",
    "hostkey",
    "hostkeyagent",
    "hostkeyalgorithms",
    "ignoreuserknownhosts",
    "ipqos",
    "kerberosauthentication",
    "kerberosgetafstoken",
    "kerberosorlocalpasswd",
    "kerberosticketcleanup",
    "kerberostgtpassing",
    "kerberosuniqueccache",
    "kexalgorithms",
    "keepalive",
    "keyregenerationinterval",
    "listenaddress",
    "logverbose",
    "macs",
    "maxstartups",
    "modulifile",
    "pamauthenticationviakbdint",
    "pamservicename",
    "permitlisten",
    "permitopen",
    "permituserrc",
    "persourcemaxstartups",
    "persourcenetblocksize",
    "persourcepenalties",
    "persourcepenaltyexemptlist",
    "pidfile",
    "printlastlog",
    "printmotd",
    "protocol",
    "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes",
    "pubkeyauthoptions",
    "rdomain",
    "refuseconnection",
    "rekeylimit",
    "requiredrsasize",
    "revokedkeys",
    "rhostsauthentication",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "rsaminsize",
    "securitykeyprovider",
    "serverkeybits",
    "setenv",
    "sshdauthpath",
    "sshdsessionpath",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "subsystem",
    "syslogfacility",
    "tcpkeepalive",
    "trustedusercakeys",
    "uselogin",
    "useprivilegeseparation",
    "verifyreversemapping",
    "reversemappingcheck",
    "unusedconnectiontimeout",
    "usedns",
    "usefipsmode",
    "versionaddendum",
    "x11displayoffset",
    "x11uselocalhost",
    "xauthlocation",
];

pub(super) fn find(keyword: &str) -> Option<&'static Word> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == keyword);
    let name = alias.map_or(keyword, |(_, name)| name);
    WORDS.iter().find(|word| word.name == name)
}

/// Whether sshd knows a word of which nothing is asked.
pub(super) fn is_known(keyword: &str) -> bool {
    OTHERS.contains(&keyword)
}

pub(super) fn all() -> impl Iterator<Item = &'static Word> {
    WORDS.iter()
}

/// What holds where a word is not set.
pub(super) fn defaults(name: &str) -> Vec<String> {
    let word = WORDS.iter().find(|word| word.name == name);
    word.map(|word| word.default.iter().map(|value| (*value).to_owned()).collect()).unwrap_or_default()
}

impl Word {
    /// The values of a line, as `sshd -T` tells them; `rest` is the line behind the word.
    pub(super) fn values(&self, arguments: &[String], rest: &str) -> Result<Vec<String>, String> {
        if self.kind == Kind::Rest {
            return Ok(vec![rest.to_owned()]);
        }
        let Some(first) = arguments.first().filter(|first| !first.is_empty()) else {
            return Err("there is no value".to_owned());
        };
        if self.kind == Kind::Texts {
            let is_sound = arguments.iter().all(|argument| !argument.is_empty());
            return if is_sound { Ok(arguments.to_vec()) } else { Err("a value is empty".to_owned()) };
        }
        if arguments.len() > 1 {
            return Err("there is more than one value".to_owned());
        }
        let value = match self.kind {
            Kind::Choice(choices) => {
                let is_it = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case(first);
                choices.iter().find(is_it).map(|(_, value)| (*value).to_owned())
            }
            Kind::Number => first.parse::<i32>().ok().map(|number| number.to_string()),
            Kind::Span => seconds(first).map(|seconds| seconds.to_string()),
            Kind::Port => first.parse::<u16>().ok().filter(|port| *port != 0).map(|port| port.to_string()),
            Kind::Text | Kind::Texts | Kind::Rest => Some(first.clone()),
        };
        Ok(vec![value.ok_or_else(|| format!("\"{first}\" is no value of it"))?])
    }
}

/// A span of time such as `90`, `2m` or `1h30m`, in seconds.
fn seconds(text: &str) -> Option<u32> {
    let mut rest = text;
    let mut sum: u32 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let number: u32 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next();
        let scale = match unit.map(|unit| unit.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) => return None,
        };
        sum = sum.checked_add(number.checked_mul(scale)?)?;
        rest = &rest[digits + usize::from(unit.is_some())..];
    }
    (!text.is_empty() && sum <= i32::MAX.unsigned_abs()).then_some(sum)
}
