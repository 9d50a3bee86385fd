//! The kernel program and its maps: loaded from the object file in this binary, or taken over from pins.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
};

use libbpf_rs::{ErrorKind, MapCore, MapHandle, Object, ObjectBuilder, OpenObject};
use palisade_abi::{
    ABI_VERSION,
    arena::{ARENA_MAGIC, Root},
};

use crate::{
    arena::{
        mapping::{self, Mapping},
        publisher,
    },
    error::{Context, Error},
    pins::{self, Found, PinDir, Unfinished},
    sys,
};

/// The compiled kernel program.
pub(crate) static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/palisade.bpf.o"));

const FLOWS_V4: &str = "flows_v4";
const FLOWS_V6: &str = "flows_v6";
const COUNTERS: &str = "counters";
const ARENA: &str = "arena";
/// Only carries type information.
const LAYOUTS: &str = "layouts";
const FROM_VM: &str = "from_vm";
const TO_VM: &str = "to_vm";
const SWEEP: &str = "sweep";

/// Sizes of the tables; they are fixed when a datapath is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// IPv4 flows of the whole host.
    pub flows_v4: u32,
    /// IPv6 flows of the whole host.
    pub flows_v6: u32,
    /// NIC slots, counted from 1.
    pub slots: u32,
}

impl Default for Sizes {
    /// About 130 MiB, and 1.1 MiB a CPU.
    fn default() -> Self {
        Self { flows_v4: 1 << 19, flows_v6: 1 << 18, slots: 1024 }
    }
}

/// The maps.
#[derive(Debug)]
pub(crate) struct Maps {
    pub arena: MapHandle,
    pub flows_v4: MapHandle,
    pub flows_v6: MapHandle,
    pub counters: MapHandle,
}

/// The programs.
#[derive(Debug)]
pub(crate) struct Programs {
    pub from_vm: OwnedFd,
    pub to_vm: OwnedFd,
    pub sweep: OwnedFd,
}

/// A datapath in the kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub dir: PinDir,
    pub maps: Maps,
    pub programs: Programs,
    pub arena: Arc<Mapping>,
    /// The pinned programs came from another object file and were replaced; links still run the old ones.
    pub replaced: bool,
}

/// Identifies the object file in the arena's root.
fn object_hash() -> u32 {
    let mut hasher = DefaultHasher::new();
    OBJECT.hash(&mut hasher);
    hasher.finish() as u32
}

/// Takes over what is pinned at `place`, or loads it there.
pub(crate) fn open(place: &Path, sizes: Sizes) -> Result<Kernel, Error> {
    match pins::enter(place)? {
        Found::Complete(dir) => adopt(dir),
        Found::Nothing(unfinished) => create(unfinished, place, sizes),
    }
}

fn create(unfinished: Unfinished, place: &Path, sizes: Sizes) -> Result<Kernel, Error> {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    let arena_map = mapping::create(hasher.finish())?;
    let arena = Mapping::open(&arena_map)?;
    publisher::format(&arena, object_hash());
    let object = load(|map| match map {
        ARENA => Source::Existing(&arena_map),
        FLOWS_V4 => Source::New(sizes.flows_v4),
        FLOWS_V6 => Source::New(sizes.flows_v6),
        // Slot 0 counts what no NIC claims.
        _ => Source::New(sizes.slots.saturating_add(1)),
    })?;
    let programs = programs_of(&object)?;
    let map = |name| map_of(&object, name);
    let maps = Maps {
        flows_v4: map(FLOWS_V4)?,
        flows_v6: map(FLOWS_V6)?,
        counters: map(COUNTERS)?,
        arena: arena_map,
    };
    for (name, map) in maps.named() {
        sys::pin(map.as_fd(), &unfinished.join(name)).context(|| format!("pin the map {name}"))?;
    }
    for (name, program) in programs.named() {
        sys::pin(program.as_fd(), &unfinished.join(name)).context(|| format!("pin the program {name}"))?;
    }
    Ok(Kernel { dir: unfinished.commit()?, maps, programs, arena, replaced: false })
}

fn adopt(dir: PinDir) -> Result<Kernel, Error> {
    let maps = Maps::open(dir.path())?;
    let arena = Mapping::open(&maps.arena)?;
    let root = check_root(&arena, dir.path())?;
    if root.program != object_hash() {
        let programs = replace_programs(&dir, &maps)?;
        return Ok(Kernel { dir, maps, programs, arena, replaced: true });
    }
    let program = |name| sys::get(&dir.join(name)).context(|| format!("open the pinned program {name}"));
    let programs = Programs { from_vm: program(FROM_VM)?, to_vm: program(TO_VM)?, sweep: program(SWEEP)? };
    Ok(Kernel { dir, maps, programs, arena, replaced: false })
}

/// Notes that every link runs the programs of this object file.
pub(crate) fn programs_replaced(arena: &Mapping) {
    let offset = std::mem::offset_of!(Root, program) as u32;
    arena.publish_word(offset, object_hash());
}

/// The root of a pinned arena, if its layout is this program's.
pub(crate) fn check_root(arena: &Mapping, dir: &Path) -> Result<Root, Error> {
    let root: Root = arena.read(0);
    if root.magic != ARENA_MAGIC {
        return Err(Error::Damaged {
            dir: dir.into(),
            what: format!("the arena begins with {:#x}", root.magic),
        });
    }
    if root.version != ABI_VERSION {
        return Err(Error::Version { dir: dir.into(), found: root.version, expected: ABI_VERSION });
    }
    Ok(root)
}

/// Loads this binary's programs over the pinned maps and puts them in place of the pinned ones, one by one.
fn replace_programs(dir: &PinDir, maps: &Maps) -> Result<Programs, Error> {
    let object = load(|map| match map {
        ARENA => Source::Existing(&maps.arena),
        FLOWS_V4 => Source::Existing(&maps.flows_v4),
        FLOWS_V6 => Source::Existing(&maps.flows_v6),
        _ => Source::Existing(&maps.counters),
    })?;
    let programs = programs_of(&object)?;
    for (name, program) in programs.named() {
        let fresh = dir.join(&format!("{name}-new"));
        let action = || format!("replace the pinned program {name}");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context(action),
            _ => sys::pin(program.as_fd(), &fresh).context(action)?,
        }
        std::fs::rename(&fresh, dir.join(name)).context(action)?;
    }
    Ok(programs)
}

/// Where a map of the object comes from.
enum Source<'m> {
    Existing(&'m MapHandle),
    New(u32),
}

fn load<'m>(source: impl Fn(&str) -> Source<'m>) -> Result<Object, Error> {
    let refused = |source| Error::Load { source };
    let mut open: OpenObject = ObjectBuilder::default().open_memory(OBJECT).map_err(refused)?;
    for mut map in open.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        if name == LAYOUTS {
            map.set_autocreate(false).map_err(refused)?;
            continue;
        }
        match source(&name) {
            Source::Existing(existing) => map.reuse_fd(existing.as_fd()).map_err(refused)?,
            Source::New(entries) => map.set_max_entries(entries).map_err(refused)?,
        }
    }
    open.load().map_err(refused)
}

fn map_of(object: &Object, name: &str) -> Result<MapHandle, Error> {
    let map = object.maps().find(|map| map.name() == name).expect("the object file has this map");
    MapHandle::try_from(&map).context(|| format!("keep the map {name}"))
}

fn programs_of(object: &Object) -> Result<Programs, Error> {
    let keep = |name: &str| {
        let full = format!("palisade_{name}");
        let program =
            object.progs().find(|program| program.name() == full.as_str()).expect("the object file has it");
        program.as_fd().try_clone_to_owned().context(|| format!("keep the program {name}"))
    };
    Ok(Programs { from_vm: keep(FROM_VM)?, to_vm: keep(TO_VM)?, sweep: keep(SWEEP)? })
}

impl Maps {
    /// Opens the pinned maps.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let map = |name: &str| {
            let path = dir.join(name);
            MapHandle::from_pinned_path(&path).map_err(|error| match error.kind() {
                ErrorKind::PermissionDenied => Error::NotPermitted { path },
                _ => Error::Damaged {
                    dir: dir.into(),
                    what: format!("the map {name} cannot be opened: {error}"),
                },
            })
        };
        Ok(Self {
            arena: map(ARENA)?,
            flows_v4: map(FLOWS_V4)?,
            flows_v6: map(FLOWS_V6)?,
            counters: map(COUNTERS)?,
        })
    }

    fn named(&self) -> [(&'static str, &MapHandle); 4] {
        [
            (FLOWS_V4, &self.flows_v4),
            (FLOWS_V6, &self.flows_v6),
            (COUNTERS, &self.counters),
            (ARENA, &self.arena),
        ]
    }

    /// Largest slot that has counters.
    pub(crate) fn slot_max(&self) -> u32 {
        self.counters.max_entries().saturating_sub(1)
    }
}

impl Programs {
    fn named(&self) -> [(&'static str, &OwnedFd); 3] {
        [(FROM_VM, &self.from_vm), (TO_VM, &self.to_vm), (SWEEP, &self.sweep)]
    }
}
