//! Who a server tells of alerts.

use std::path::PathBuf;

use palisade_guard::Severity;
use palisade_server::{NotifyOptions, Target};

use crate::{commands::detect::Least, exit::Failure};

/// Options of notices.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Notices")]
pub struct NotifyArgs {
    /// Tell of alerts: https://HOST/PATH (a signed webhook), otlp+https://HOST:4318, syslog+udp://HOST:514,
    /// syslog+tcp://HOST:601 or syslog+unix:///dev/log; http and otlp+http only to this machine. May be given again
    #[arg(long = "notify", value_name = "URL", value_parser = target)]
    targets: Vec<Target>,
    /// File of the secret that webhooks are signed with, 16 bytes or more; a line's end is not part of it
    #[arg(long = "notify-secret", value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Tell of no less grave alerts
    #[arg(long = "notify-min-severity", value_enum, value_name = "SEVERITY", default_value_t = Least::Low)]
    least: Least,
}

fn target(text: &str) -> Result<Target, String> {
    text.parse().map_err(|error: palisade_server::TargetError| error.to_string())
}

impl NotifyArgs {
    /// What the server is told.
    pub fn options(&self) -> Result<NotifyOptions, Failure> {
        let secret = self.secret.as_ref().map(|path| {
            let read = std::fs::read(path);
            read.map_err(|error| Failure::input(format!("{}: {error}", path.display())))
        });
        let secret = secret.transpose()?.map(|bytes| bytes.trim_ascii_end().to_vec());
        let least: Severity = self.least.into();
        Ok(NotifyOptions { targets: self.targets.clone(), secret, least })
    }
}
