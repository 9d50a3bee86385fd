//! Programs at interfaces, as pinned links: they stay when this process ends.
//!
//! A pin is named by interface number and direction. Interface numbers are reused, so a pin counts only while the
//! kernel says that its link still has that interface; others are removed. One datapath serves one network namespace,
//! because interface numbers mean nothing beyond.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use palisade_abi::flow::Direction;

use crate::{
    error::{Context, Error},
    object::Programs,
    pins::LINKS,
    plane::Attachment,
    policy::NicKind,
    sys::{self, Hook},
};

const DIRECTIONS: [Direction; 2] = [Direction::Outbound, Direction::Inbound];

fn pin_of(dir: &Path, ifindex: u32, direction: Direction) -> PathBuf {
    let side = match direction {
        Direction::Outbound => "from_vm",
        Direction::Inbound => "to_vm",
    };
    dir.join(LINKS).join(format!("{ifindex}-{side}"))
}

/// On which side of the interface packets of a direction are seen.
fn hook(kind: NicKind, direction: Direction) -> Hook {
    match (kind, direction) {
        (NicKind::Direct, Direction::Outbound) | (NicKind::Inverted, Direction::Inbound) => Hook::Ingress,
        (NicKind::Direct, Direction::Inbound) | (NicKind::Inverted, Direction::Outbound) => Hook::Egress,
    }
}

/// Which programs of a link that is there are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// The ones to be attached.
    Same,
    /// Any: an older datapath enforces until the new one has a policy.
    Any,
}

/// Puts both programs at an interface; what is there already and right is left alone.
pub(crate) fn attach(
    dir: &Path,
    programs: &Programs,
    (ifindex, kind): (u32, NicKind),
    accept: Accept,
) -> Result<(), Error> {
    for direction in DIRECTIONS {
        let program = match direction {
            Direction::Outbound => programs.from_vm.as_fd(),
            Direction::Inbound => programs.to_vm.as_fd(),
        };
        let pin = pin_of(dir, ifindex, direction);
        let action = || format!("attach to interface {ifindex}");
        let hook = hook(kind, direction);
        if is_in_place(&pin, program, (ifindex, hook), accept).context(action)? {
            continue;
        }
        remove(&pin).context(action)?;
        let link = sys::attach_tcx(program, ifindex, hook).context(action)?;
        sys::pin(link.as_fd(), &pin).context(action)?;
    }
    Ok(())
}

/// Takes the programs off an interface. It is no error if there are none.
pub(crate) fn detach(dir: &Path, ifindex: u32) -> Result<(), Error> {
    for direction in DIRECTIONS {
        remove(&pin_of(dir, ifindex, direction)).context(|| format!("detach from interface {ifindex}"))?;
    }
    Ok(())
}

/// Interfaces that have both programs. Without both an interface is not enforced, and not listed.
pub(crate) fn attached(dir: &Path) -> Result<Vec<Attachment>, Error> {
    let mut found = BTreeMap::<u32, Vec<NicKind>>::new();
    for pin in pins(dir)? {
        if let Some(kind) = pin.kind().context(|| format!("read the link {}", pin.path.display()))? {
            found.entry(pin.ifindex).or_default().push(kind);
        }
    }
    let complete = found.into_iter().filter(|(_, kinds)| kinds.len() == 2 && kinds[0] == kinds[1]);
    Ok(complete.map(|(ifindex, kinds)| Attachment { ifindex, kind: kinds[0] }).collect())
}

/// Removes the pins of interfaces that are gone, and puts current programs into the links of the others.
pub(crate) fn refresh(dir: &Path, programs: &Programs) -> Result<(), Error> {
    for pin in pins(dir)? {
        let action = || format!("renew the link {}", pin.path.display());
        if pin.kind().context(action)?.is_none() {
            remove(&pin.path).context(action)?;
            continue;
        }
        let program = match pin.direction {
            Direction::Outbound => programs.from_vm.as_fd(),
            Direction::Inbound => programs.to_vm.as_fd(),
        };
        let link = sys::get(&pin.path).context(action)?;
        if sys::link_info(link.as_fd()).context(action)?.program_id
            != sys::program_id(program).context(action)?
        {
            sys::update_link(link.as_fd(), program).context(action)?;
        }
    }
    Ok(())
}

/// A pinned link.
struct Pin {
    path: PathBuf,
    ifindex: u32,
    direction: Direction,
}

impl Pin {
    /// How the link is attached; `None` if its interface is gone, or the pin itself since it was listed.
    fn kind(&self) -> io::Result<Option<NicKind>> {
        let link = match sys::get(&self.path) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let info = sys::link_info(link.as_fd())?;
        let ingress_is_outbound = info.ingress == (self.direction == Direction::Outbound);
        let kind = if ingress_is_outbound { NicKind::Direct } else { NicKind::Inverted };
        Ok((info.ifindex == self.ifindex).then_some(kind))
    }
}

fn pins(dir: &Path) -> Result<Vec<Pin>, Error> {
    let action = || format!("list the links of {}", dir.display());
    let mut pins = Vec::new();
    for entry in fs::read_dir(dir.join(LINKS)).context(action)? {
        let path = entry.context(action)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (number, side) = name.split_once('-').unwrap_or_default();
        let direction = match side {
            "from_vm" => Direction::Outbound,
            "to_vm" => Direction::Inbound,
            _ => continue,
        };
        if let Ok(ifindex) = number.parse() {
            pins.push(Pin { ifindex, direction, path });
        }
    }
    Ok(pins)
}

fn is_in_place(
    pin: &Path,
    program: BorrowedFd<'_>,
    (ifindex, hook): (u32, Hook),
    accept: Accept,
) -> io::Result<bool> {
    let link = match sys::get(pin) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let info = sys::link_info(link.as_fd())?;
    Ok(info.ifindex == ifindex
        && info.ingress == (hook == Hook::Ingress)
        && (accept == Accept::Any || info.program_id == sys::program_id(program)?))
}

/// Detaches a pinned link and removes its pin.
fn remove(pin: &Path) -> io::Result<()> {
    match sys::get(pin) {
        Ok(link) => match sys::detach_link(link.as_fd()) {
            // ENOLINK: the interface is gone, and its links with it.
            Err(error) if error.raw_os_error() != Some(libc::ENOLINK) => return Err(error),
            _ => {}
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    fs::remove_file(pin)
}
