//! What guests tell of logons, in files: Windows event logs, and what sshd and dropbear write to syslog or the journal.
//!
//! Formats are told apart by content, as logs of flows are. It must not judge what a logon means, nor look for its address elsewhere.

mod binxml;
pub(crate) mod chronicle;
mod dropbear;
pub(crate) mod event_log;
pub(crate) mod journal;
mod sshd;
pub(crate) mod syslog;
pub(crate) mod windows;
