//! A small drive that a new guest reads its settings from before it meets anybody.
//!
//! A FAT file system labelled CIDATA with `meta-data` and `user-data`, where cloud-init (NoCloud) and cloudbase-init (NoCloud) look. What is in it is the
//! caller's text; the instance's id is that of the revert, so that the guest takes itself for a new machine and applies it once. The machine must have
//! the drive attached. Reference: cloud-init, "NoCloud"; cloudbase-init, "NoCloud configuration drive".

use std::{
    io::{Cursor, Write as _},
    path::PathBuf,
};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

use super::{HandError, Plan, Prepare};
use crate::files;

/// Bytes of the drive.
const SIZE: usize = 1 << 20;
/// Bytes of the settings.
pub const USER_DATA_MAX: u64 = 512 << 10;
const LABEL: [u8; 11] = *b"CIDATA     ";

/// Writes the drive.
#[derive(Debug)]
pub struct Seed {
    /// The drive, a raw image that the machine has attached.
    pub drive: PathBuf,
    /// File with the settings: cloud-config, or a script.
    pub user_data: PathBuf,
}

impl Prepare for Seed {
    fn prepare(&mut self, plan: &Plan, _: &[PathBuf]) -> Result<String, HandError> {
        let user_data = files::read_at_most(&self.user_data, USER_DATA_MAX)?;
        files::replace(&self.drive, &drive(&plan.id, &plan.machine, &user_data)?)?;
        // What is in it are secrets of the guest.
        files::set_mode(&self.drive, 0o600)?;
        Ok(format!("{} bytes of settings on {}", user_data.len(), self.drive.display()))
    }
}

/// The drive's bytes.
fn drive(instance: &str, host: &str, user_data: &[u8]) -> Result<Vec<u8>, HandError> {
    let mut bytes = Cursor::new(vec![0; SIZE]);
    let options = FormatVolumeOptions::new().volume_label(LABEL).volume_id(0x5041_4c49);
    fatfs::format_volume(&mut bytes, options)?;
    {
        let system = FileSystem::new(&mut bytes, FsOptions::new())?;
        let root = system.root_dir();
        // Names of machines are letters, digits, dots, dashes and underscores, so they are plain YAML.
        let meta_data = format!("instance-id: \"{instance}\"\nlocal-hostname: \"{host}\"\n");
        root.create_file("meta-data")?.write_all(meta_data.as_bytes())?;
        root.create_file("user-data")?.write_all(user_data)?;
    }
    Ok(bytes.into_inner())
}
