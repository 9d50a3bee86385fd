//! What this host offers: each thing that enforcement needs, whether it is there, and what to do if not.
//!
//! [`Facts::gather`] looks, [`Facts::checks`] judges; judging needs no host, so it is tested with facts that are made
//! up. Nothing is loaded, attached or changed, except for an arena that is made and dropped at once.

use std::{fs, path::Path};

use nix::sys::utsname::uname;

use crate::{
    memory::{MemoryKind, mapping},
    pins::{self, BPFFS},
};

/// Linux version as far as it decides.
type Version = (u32, u32);

/// The first Linux with tcx links.
const TCX_SINCE: Version = (6, 6);
/// The first Linux with arenas.
const ARENA_SINCE: Version = (6, 9);
/// Capabilities, by their bit in `CapEff`: to load programs, to attach them, and to let them use kernel pointers.
const CAPABILITIES: [(&str, u32); 3] = [("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38), ("CAP_BPF", 39)];
/// Stands for the ones above on its own.
const CAP_SYS_ADMIN: u32 = 21;

/// What was found on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Kernel release, such as `6.12.9-amd64`.
    pub release: String,
    /// Effective capabilities of this process.
    pub capabilities: u64,
    /// Whether the BPF file system is mounted at its conventional place.
    pub bpffs: bool,
    /// Whether the kernel carries its own type information.
    pub btf: bool,
    /// `net.core.bpf_jit_enable`.
    pub jit: Option<u32>,
    /// Whether an arena could be made; otherwise the kernel's answer.
    pub arena: Result<(), String>,
}

/// One thing that enforcement needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is needed.
    pub name: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// What was found.
    pub found: String,
    /// What to do; `None` if it is there.
    pub remedy: Option<String>,
    /// Whether enforcement cannot start without it.
    pub required: bool,
}

impl Check {
    /// Whether it is there.
    pub fn is_met(&self) -> bool {
        self.remedy.is_none()
    }
}

/// Looks at this host.
pub fn probe() -> Vec<Check> {
    Facts::gather().checks()
}

impl Facts {
    /// Looks at this host.
    pub fn gather() -> Self {
        let release = uname().map(|names| names.release().to_string_lossy().into_owned()).unwrap_or_default();
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/self/status");
        let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        Self {
            release,
            capabilities: capabilities.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0),
            bpffs: pins::is_bpffs(Path::new(BPFFS)),
            btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            jit: read("/proc/sys/net/core/bpf_jit_enable").trim().parse().ok(),
            arena: mapping::create(MemoryKind::Arena, 0).map(drop).map_err(|error| cause(&error)),
        }
    }

    /// Judges what was found.
    pub fn checks(&self) -> Vec<Check> {
        vec![self.privileges(), self.tcx(), self.arena(), self.jit(), self.bpffs(), self.btf()]
    }

    fn privileges(&self) -> Check {
        let has = |bit: u32| self.capabilities & 1 << bit != 0;
        let missing: Vec<&str> = CAPABILITIES
            .iter()
            .filter(|(_, bit)| !has(*bit) && !has(CAP_SYS_ADMIN))
            .map(|(name, _)| *name)
            .collect();
        Check {
            name: "privileges",
            purpose: "load programs and attach them to interfaces",
            found: if missing.is_empty() {
                "sufficient".into()
            } else {
                format!("{} missing", missing.join(", "))
            },
            remedy: (!missing.is_empty()).then(|| "run as root (sudo), or grant these capabilities".into()),
            required: true,
        }
    }

    fn tcx(&self) -> Check {
        self.since("tcx", "attach in both directions, first in line", TCX_SINCE)
    }

    fn arena(&self) -> Check {
        let name = "arena";
        let purpose =
            "hold policy and flows in memory that grows; without it they are in an array of a fixed size";
        let required = false;
        match &self.arena {
            Ok(()) => Check { name, purpose, found: "offered".into(), remedy: None, required },
            Err(answer) => {
                let by_version = self.since(name, purpose, ARENA_SINCE);
                let remedy = by_version.remedy.or_else(|| {
                    Some("run as root; if you do, the kernel was built without BPF arenas or without MMU support".into())
                });
                Check { found: format!("{}: {answer}", by_version.found), remedy, required, ..by_version }
            }
        }
    }

    fn since(&self, name: &'static str, purpose: &'static str, since: Version) -> Check {
        let new_enough = version(&self.release).is_some_and(|version| version >= since);
        let remedy = || {
            format!(
                "boot Linux {}.{} or newer (Debian 12: the kernel of bookworm-backports; Debian 13 has 6.12)",
                since.0, since.1
            )
        };
        Check {
            name,
            purpose,
            found: format!("Linux {}", self.release),
            remedy: (!new_enough).then(remedy),
            required: true,
        }
    }

    fn jit(&self) -> Check {
        let on = self.jit.is_some_and(|value| value > 0);
        Check {
            name: "JIT compiler",
            purpose: "run the program as machine code; otherwise it is many times slower, and there are no arenas",
            found: match self.jit {
                Some(value) => format!("net.core.bpf_jit_enable = {value}"),
                None => "net.core.bpf_jit_enable is not readable".into(),
            },
            remedy: (!on).then(|| "sysctl net.core.bpf_jit_enable=1".into()),
            required: true,
        }
    }

    fn bpffs(&self) -> Check {
        Check {
            name: "BPF file system",
            purpose: "keep enforcing while no palisade process runs",
            found: format!("{BPFFS} {}", if self.bpffs { "is mounted" } else { "is not mounted" }),
            remedy: (!self.bpffs).then(|| format!("palisade mounts it; or: mount -t bpf bpf {BPFFS}")),
            required: false,
        }
    }

    fn btf(&self) -> Check {
        let path = "/sys/kernel/btf/vmlinux";
        Check {
            name: "kernel type information",
            purpose: "let tools such as bpftool show flows by field name",
            found: format!("{path} {}", if self.btf { "exists" } else { "does not exist" }),
            remedy: (!self.btf).then(|| "boot a kernel built with CONFIG_DEBUG_INFO_BTF".into()),
            required: false,
        }
    }
}

/// The first two numbers of a release.
fn version(release: &str) -> Option<Version> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The innermost error: what the kernel said.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            release: "6.12.9+deb13-amd64".into(),
            capabilities: 1 << 12 | 1 << 38 | 1 << 39,
            bpffs: true,
            btf: true,
            jit: Some(1),
            arena: Ok(()),
        }
    }

    /// Names of what is missing.
    fn missing(facts: &Facts) -> Vec<&'static str> {
        facts.checks().iter().filter(|check| !check.is_met()).map(|check| check.name).collect()
    }

    #[test]
    fn each_thing_is_missed_by_name() {
        let no = || Err("invalid argument".to_owned());
        let cases: [(Facts, &[&str]); 9] = [
            (good(), &[]),
            (Facts { capabilities: 1 << CAP_SYS_ADMIN, ..good() }, &[]),
            (Facts { capabilities: 1 << 12, ..good() }, &["privileges"]),
            (Facts { release: "6.1.0-28-amd64".into(), arena: no(), ..good() }, &["tcx", "arena"]),
            (Facts { release: "6.8.0-40-generic".into(), arena: no(), ..good() }, &["arena"]),
            (Facts { arena: no(), ..good() }, &["arena"]),
            (Facts { jit: Some(0), ..good() }, &["JIT compiler"]),
            (Facts { jit: None, bpffs: false, ..good() }, &["JIT compiler", "BPF file system"]),
            (Facts { btf: false, ..good() }, &["kernel type information"]),
        ];
        for (facts, expected) in cases {
            assert_eq!(missing(&facts), expected, "{facts:?}");
        }
        // An array stands in for the arena.
        let arena = Facts { arena: no(), ..good() }.arena();
        assert!(!arena.is_met() && !arena.required, "{arena:?}");
    }

    #[test]
    fn remedies_name_the_version() {
        let old = Facts { release: "6.1.0".into(), arena: Err("invalid argument".into()), ..good() };
        let remedies: Vec<_> = old.checks().into_iter().filter_map(|check| check.remedy).collect();
        assert!(remedies[0].contains("6.6") && remedies[1].contains("6.9"), "{remedies:?}");
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version("6.12.9-amd64"), Some((6, 12)));
        assert_eq!(version("6.9-rc1"), Some((6, 9)));
        assert_eq!(version("unknown"), None);
    }
}
