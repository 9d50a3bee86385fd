//! A made-up Linux machine as an ext4 file system: accounts, keys, and settings of sshd and sudo in many fragments.

use std::{fmt::Write as _, fs, io, path::Path, process::Command};

use super::{MIB, succeed};
use crate::error::{Error, Result};

/// Bytes of the file system.
pub(super) const SIZE: u64 = 256 * MIB;
/// Bytes of its blocks.
pub(super) const BLOCK: u64 = 4_096;
/// The program that makes it.
pub(super) const MAKER: &str = "mke2fs";
/// Fragments of the settings of sshd, and as many of sudo.
const FRAGMENTS: usize = 500;
/// Keys of an account that has some.
const KEYS: usize = 40;
/// Where accounts have their folders, and how many of them stand in one.
const HOMES: &str = "srv/accounts";
const HOMES_EACH: usize = 200;
/// Bytes for each inode: there are many small files.
const INODE_EACH: &str = "4096";
/// A public key of nobody.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHN0cmljdGx5IGEga2V5IG9mIG5vYm9keSBoZXJlISE";

/// Writes the files of a machine with so many accounts, each with a folder of its own, a tenth of them with keys.
pub(super) fn plant(tree: &Path, accounts: usize) -> io::Result<()> {
    for folder in ["etc/ssh/sshd_config.d", "etc/sudoers.d"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    plant_accounts(tree, accounts)?;
    let sshd = "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\n";
    fs::write(tree.join("etc/ssh/sshd_config"), sshd)?;
    fs::write(tree.join("etc/sudoers"), "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")?;
    for number in 0..FRAGMENTS {
        let sshd = format!("# Fragment {number}.\nMatch User user{number}\n    PasswordAuthentication no\n");
        fs::write(tree.join(format!("etc/ssh/sshd_config.d/{number:03}.conf")), sshd)?;
        let sudo = format!("user{number} ALL=(ALL) ALL\n");
        fs::write(tree.join(format!("etc/sudoers.d/{number:03}")), sudo)?;
    }
    Ok(())
}

fn plant_accounts(tree: &Path, accounts: usize) -> io::Result<()> {
    let mut passwd = "root:x:0:0::/root:/bin/bash\n".to_owned();
    let mut shadow = "root:*:19000:0:99999:7:::\n".to_owned();
    for number in 0..accounts {
        let id = 1_000 + number;
        // Every hundredth has no password.
        let password = if number % 100 == 0 { "" } else { "$y$j9T$" };
        let home = home(number);
        let _ = writeln!(passwd, "user{number}:x:{id}:{id}:User {number}:/{home}:/bin/bash");
        let _ = writeln!(shadow, "user{number}:{password}:19000:0:99999:7:::");
        fs::create_dir_all(tree.join(home))?;
    }
    fs::write(tree.join("etc/passwd"), passwd)?;
    fs::write(tree.join("etc/shadow"), shadow)?;
    for number in 0..accounts / 10 {
        let folder = tree.join(home(number)).join(".ssh");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("authorized_keys"), format!("{KEY} user{number}\n").repeat(KEYS))?;
    }
    Ok(())
}

fn home(number: usize) -> String {
    format!("{HOMES}/{}/user{number}", number / HOMES_EACH)
}

/// Makes a file system of a tree; false where there is nothing to make it with.
pub(super) fn format(tree: &Path, image: &Path) -> Result<bool> {
    let mut command = Command::new(MAKER);
    command.args(["-q", "-t", "ext4", "-b", &BLOCK.to_string(), "-i", INODE_EACH, "-d"]).arg(tree).arg(image);
    match succeed(command.arg(format!("{}K", SIZE >> 10))) {
        Err(Error::Kernel { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        made => made.map(|()| true),
    }
}
