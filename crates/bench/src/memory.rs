//! The most memory that this process held, from a moment on.

use std::fs;

use crate::error::{Context, Result};

/// Lets the peak begin anew. Where the kernel does not allow that, the peak stays that of the whole run.
pub(crate) fn forget_peak() {
    // A peak that is too high is still an upper bound.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that was in use since, in MB of a million bytes.
pub(crate) fn peak() -> Result<f64> {
    status("VmHWM:")
}

/// The memory that is in use now, in MB.
pub(crate) fn resident() -> Result<f64> {
    status("VmRSS:")
}

fn status(name: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status");
    let status = status.context(|| "read the status of this process".into())?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kibibytes.unwrap_or_default() * 1_024.0 / 1e6)
}
