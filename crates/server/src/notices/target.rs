//! Where notices go, as an operator writes it: a URL each.

use std::{fmt, io, path::PathBuf, str::FromStr};

use palisade_client::{ClientError, Post};
use palisade_guard::Severity;

use super::{
    Way,
    otlp::Otlp,
    syslog::{Place, Syslog},
    webhook::Webhook,
};

/// Targets of one server.
pub const TARGETS_MAX: usize = 16;
/// Bytes of a secret: fewer could be guessed.
const SECRET_MIN: usize = 16;
/// Where a collector of OTLP takes logs, if its URL has no path.
const OTLP_PATH: &str = "/v1/logs";

/// What an operator may set of notices.
#[derive(Debug, Clone)]
pub struct NotifyOptions {
    /// Where they go; at most [`TARGETS_MAX`].
    pub targets: Vec<Target>,
    /// What webhooks are signed with.
    pub secret: Option<Vec<u8>>,
    /// The least grave alerts that are told.
    pub least: Severity,
}

impl Default for NotifyOptions {
    fn default() -> Self {
        Self { targets: Vec::new(), secret: None, least: Severity::Low }
    }
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    kind: Kind,
    written: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A webhook's URL.
    Webhook(String),
    /// A collector's URL, with its path.
    Otlp(String),
    Syslog(Place),
}

/// Why there is no such target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is no URL of a kind that is known.
    #[error(
        "{given:?} is no target of notices (write https://HOST/PATH, http:// to this machine, otlp+https://HOST:4318, \
         syslog+udp://HOST:514, syslog+tcp://HOST:601 or syslog+unix:///dev/log)"
    )]
    Form {
        /// What was given.
        given: String,
    },
    /// There are too many.
    #[error(
        "there are {given} targets of notices, and may be {TARGETS_MAX} (let one of them tell the others)"
    )]
    TooMany {
        /// How many.
        given: usize,
    },
    /// Webhooks are signed, and there is nothing to sign with.
    #[error(
        "{target} is a webhook and needs a secret of {SECRET_MIN} bytes or more (name its file: --notify-secret FILE)"
    )]
    NoSecret {
        /// Which.
        target: String,
    },
    /// Its address cannot be used.
    #[error(transparent)]
    Address(#[from] ClientError),
    /// The system gives no thread.
    #[error("a target of notices gets no thread: {source}")]
    Thread {
        /// Why.
        source: io::Error,
    },
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError::Form { given: text.to_owned() };
        let (scheme, rest) = text.split_once("://").filter(|(_, rest)| !rest.is_empty()).ok_or_else(wrong)?;
        let has_port = || {
            rest.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        let kind = match scheme {
            "https" | "http" => Kind::Webhook(text.to_owned()),
            "otlp+https" | "otlp+http" => {
                let url = format!("{}://{rest}", scheme.trim_start_matches("otlp+"));
                let path = if rest.trim_end_matches('/').contains('/') { "" } else { OTLP_PATH };
                Kind::Otlp(format!("{}{path}", url.trim_end_matches('/')))
            }
            "syslog+udp" if has_port() => Kind::Syslog(Place::Udp(rest.to_owned())),
            "syslog+tcp" if has_port() => Kind::Syslog(Place::Tcp(rest.to_owned())),
            "syslog+unix" if rest.starts_with('/') => Kind::Syslog(Place::Unix(PathBuf::from(rest))),
            _ => return Err(wrong()),
        };
        Ok(Self { kind, written: text.to_owned() })
    }
}

/// Without what may be secret: the path and query of a URL.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Syslog(_) => f.write_str(&self.written),
            Kind::Webhook(_) | Kind::Otlp(_) => {
                let (scheme, rest) = self.written.split_once("://").unwrap_or_default();
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                write!(f, "{scheme}://{}", host.rsplit('@').next().unwrap_or_default())
            }
        }
    }
}

impl NotifyOptions {
    /// Whether there are not too many.
    ///
    /// # Errors
    /// If there are.
    pub(super) fn check(&self) -> Result<(), TargetError> {
        let given = self.targets.len();
        if given > TARGETS_MAX { Err(TargetError::TooMany { given }) } else { Ok(()) }
    }
}

impl Target {
    /// The way to tell it.
    pub(super) fn open(&self, secret: Option<&[u8]>) -> Result<Box<dyn Way>, TargetError> {
        Ok(match &self.kind {
            Kind::Webhook(url) => {
                let secret = secret.filter(|secret| secret.len() >= SECRET_MIN);
                let secret = secret.ok_or_else(|| TargetError::NoSecret { target: self.to_string() })?;
                Box::new(Webhook { post: Post::new(url)?, secret: secret.to_vec() })
            }
            Kind::Otlp(url) => Box::new(Otlp { post: Post::new(url)? }),
            Kind::Syslog(place) => Box::new(Syslog { place: place.clone(), host: hostname(), stream: None }),
        })
    }
}

/// This machine's name, as syslog takes it: printable, without spaces; `-` if it has none.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}
