//! What a machine's own files tell of how it is guarded, without an agent in it: a folder, hives, or a disk.
//!
//! [`audit`] takes the files of a machine, whichever way they are read, and gives findings, each with its evidence, what is wanted and a
//! remedy; what cannot be told is [`Report::unknown`] and never a finding. Ids and what they claim: `docs/guest-audit.md`. All input is that
//! of a machine that may be in somebody else's hands: sizes, depths and numbers have limits. It must not know where files come from, nor
//! print or keep what a password was made into.

mod acceptance;
pub mod checks;
pub mod compare;
pub mod disk;
pub mod facts;
mod files;
mod finding;
mod linux;
mod pattern;
mod profile;
pub mod registry;
pub mod windows;

#[cfg(test)]
mod testing;

pub use acceptance::{Acceptance, AcceptanceError, Accepted};
pub use files::{Files, FilesError, MemoryFiles, Meta, NAMES_MAX, SETTINGS_MAX};
pub use finding::{Evidence, Finding, Report, Unknown};
pub use linux::sshd;
pub use profile::Profile;

/// Everything that a machine's files tell.
pub fn audit(files: &dyn Files, profile: &Profile) -> Report {
    let mut report = Report::default();
    if windows::is_one(files) {
        windows::audit(files, profile, &mut report);
    } else if linux::is_one(files) {
        linux::audit(files, profile, &mut report);
    } else {
        report.unknown("which system it is", "there is neither /Windows/System32/config nor /etc/passwd");
    }
    report.finish()
}
