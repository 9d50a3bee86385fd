//! The kernel program and its maps: loaded from an object file in this binary, or taken over from pins.

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
    error::{Context, Error},
    memory::{
        MemoryChoice, MemoryKind,
        mapping::{self, Mapping},
        regions::{self, Regions, Sizes},
    },
    pins::{MEMORY, PinDir, Unfinished},
    sys,
};

const COUNTERS: &str = "counters";
const EVENTS: &str = "events";
/// How the object names the array that stands in for the arena.
const ARRAY_SUFFIX: &str = ".bss.memory";
/// Only carries type information.
const LAYOUTS: &str = "layouts";
const FROM_VM: &str = "from_vm";
const TO_VM: &str = "to_vm";
const CLOCK: &str = "clock";

/// The compiled kernel program, for each kind of memory, and the layout it was compiled for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    pub arena: &'static [u8],
    pub array: &'static [u8],
    pub version: u32,
}

/// What this binary carries.
pub(crate) const BUILD: Build = Build {
    arena: include_bytes!(concat!(env!("OUT_DIR"), "/palisade.bpf.o")),
    array: include_bytes!(concat!(env!("OUT_DIR"), "/palisade_array.bpf.o")),
    version: ABI_VERSION,
};

/// The same program with an older layout number, for tests of upgrades. It is made with an arena only.
#[cfg(test)]
pub(crate) const OLDER: Build = Build {
    arena: include_bytes!(concat!(env!("OUT_DIR"), "/palisade_older.bpf.o")),
    array: &[],
    version: ABI_VERSION - 1,
};

impl Build {
    fn object(&self, kind: MemoryKind) -> &'static [u8] {
        match kind {
            MemoryKind::Arena => self.arena,
            MemoryKind::Array => self.array,
        }
    }

    /// Identifies the object file in the memory's root.
    fn hash(&self, kind: MemoryKind) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.object(kind).hash(&mut hasher);
        hasher.finish() as u32
    }
}

/// The maps.
#[derive(Debug)]
pub(crate) struct Maps {
    pub memory: MapHandle,
    pub counters: MapHandle,
    pub events: MapHandle,
}

/// The programs.
#[derive(Debug)]
pub(crate) struct Programs {
    pub from_vm: OwnedFd,
    pub to_vm: OwnedFd,
    pub clock: OwnedFd,
}

/// A datapath in the kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub maps: Maps,
    pub programs: Programs,
    pub memory: Arc<Mapping>,
    pub regions: Regions,
    /// The pinned programs came from another object file and were replaced; links still run the old ones.
    pub replaced: bool,
}

/// Loads a build and pins it. The place only spreads instances over addresses.
pub(crate) fn create(
    build: &Build,
    unfinished: &Unfinished,
    place: &Path,
    sizes: Sizes,
    choice: MemoryChoice,
) -> Result<Kernel, Error> {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    let map = create_memory(choice, hasher.finish())?;
    let memory = Mapping::open(&map)?;
    let cpus = libbpf_rs::num_possible_cpus().context(|| "count the CPUs".into())?;
    let regions = Regions::plan(sizes, cpus, memory.bytes())?;
    regions::format(&memory, &regions, build.version, build.hash(memory.kind()))?;
    let object = load(build.object(memory.kind()), &map, Other::New { slots: regions.slots })?;
    let programs = programs_of(&object)?;
    let maps = Maps { counters: map_of(&object, COUNTERS)?, events: map_of(&object, EVENTS)?, memory: map };
    for (name, map) in maps.named() {
        sys::pin(map.as_fd(), &unfinished.join(name)).context(|| format!("pin the map {name}"))?;
    }
    for (name, program) in programs.named() {
        sys::pin(program.as_fd(), &unfinished.join(name)).context(|| format!("pin the program {name}"))?;
    }
    Ok(Kernel { maps, programs, memory, regions, replaced: false })
}

fn create_memory(choice: MemoryChoice, seed: u64) -> Result<MapHandle, Error> {
    match choice {
        MemoryChoice::Arena => mapping::create(MemoryKind::Arena, seed),
        MemoryChoice::Array => mapping::create(MemoryKind::Array, seed),
        MemoryChoice::Auto => mapping::create(MemoryKind::Arena, seed)
            .or_else(|no_arena| mapping::create(MemoryKind::Array, seed).map_err(|_| no_arena)),
    }
}

/// Takes over a set of pins of this build's layout.
pub(crate) fn adopt(build: &Build, dir: &PinDir) -> Result<Kernel, Error> {
    let maps = Maps::open(dir.path())?;
    let memory = Mapping::open(&maps.memory)?;
    let root: Root = memory.read(0);
    let regions = regions_of(&memory, &root, dir.path())?;
    let replaced = root.program != build.hash(memory.kind());
    let programs = if replaced {
        replace_programs(build, dir, &maps, memory.kind())?
    } else {
        let program = |name| sys::get(&dir.join(name)).context(|| format!("open the pinned program {name}"));
        Programs { from_vm: program(FROM_VM)?, to_vm: program(TO_VM)?, clock: program(CLOCK)? }
    };
    Ok(Kernel { maps, programs, memory, regions, replaced })
}

/// Notes that every link runs the programs of this build.
pub(crate) fn programs_replaced(build: &Build, memory: &Mapping) {
    let offset = std::mem::offset_of!(Root, program) as u32;
    memory.word(offset).store(build.hash(memory.kind()), std::sync::atomic::Ordering::Release);
}

/// What a set of pins is like, whatever its layout.
#[derive(Debug)]
pub(crate) struct Found {
    pub version: u32,
    /// A policy of it was published.
    pub is_published: bool,
    /// Its memory, mapped: as long as it is, a new one is made at another address, and both can be mapped at once.
    _memory: Arc<Mapping>,
}

/// Looks at the set of pins at `dir`.
pub(crate) fn look(dir: &Path) -> Result<Found, Error> {
    let memory = Mapping::open(&open_map(dir, MEMORY)?)?;
    let root: Root = memory.read(0);
    if root.magic != ARENA_MAGIC {
        let what = format!("the shared memory begins with {:#x}", root.magic);
        return Err(Error::Damaged { dir: dir.into(), what });
    }
    Ok(Found { version: root.version, is_published: root.active != 0, _memory: memory })
}

/// What lies where in a pinned memory.
pub(crate) fn regions_of(memory: &Mapping, root: &Root, dir: &Path) -> Result<Regions, Error> {
    Regions::of(memory, root).ok_or_else(|| Error::Damaged {
        dir: dir.into(),
        what: "the regions of the shared memory are not inside it".into(),
    })
}

/// Loads this build's programs over the pinned maps and puts them in place of the pinned ones, one by one.
fn replace_programs(build: &Build, dir: &PinDir, maps: &Maps, kind: MemoryKind) -> Result<Programs, Error> {
    let object = load(build.object(kind), &maps.memory, Other::Existing(maps))?;
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

/// Where the maps beside the memory come from.
#[derive(Clone, Copy)]
enum Other<'m> {
    Existing(&'m Maps),
    New { slots: u32 },
}

fn load(object: &[u8], memory: &MapHandle, other: Other<'_>) -> Result<Object, Error> {
    let refused = |source| Error::Load { source };
    let mut open: OpenObject = ObjectBuilder::default().open_memory(object).map_err(refused)?;
    for mut map in open.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        match (name.as_str(), other) {
            (LAYOUTS, _) => map.set_autocreate(false),
            (COUNTERS, Other::Existing(maps)) => map.reuse_fd(maps.counters.as_fd()),
            (COUNTERS, Other::New { slots }) => map.set_max_entries(slots),
            (EVENTS, Other::Existing(maps)) => map.reuse_fd(maps.events.as_fd()),
            (name, _) if name == MEMORY || name.ends_with(ARRAY_SUFFIX) => map.reuse_fd(memory.as_fd()),
            _ => Ok(()),
        }
        .map_err(refused)?;
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
    Ok(Programs { from_vm: keep(FROM_VM)?, to_vm: keep(TO_VM)?, clock: keep(CLOCK)? })
}

fn open_map(dir: &Path, name: &str) -> Result<MapHandle, Error> {
    let path = dir.join(name);
    MapHandle::from_pinned_path(&path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Error::NotPermitted { path },
        _ => Error::Damaged { dir: dir.into(), what: format!("the map {name} cannot be opened: {error}") },
    })
}

/// Opens a pinned program; a datapath that is only looked at needs one too, for the time.
pub(crate) fn open_clock(dir: &Path) -> Result<OwnedFd, Error> {
    sys::get(&dir.join(CLOCK)).context(|| format!("open the pinned program {CLOCK}"))
}

impl Maps {
    /// Opens the pinned maps.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let map = |name| open_map(dir, name);
        Ok(Self { memory: map(MEMORY)?, counters: map(COUNTERS)?, events: map(EVENTS)? })
    }

    fn named(&self) -> [(&'static str, &MapHandle); 3] {
        [(COUNTERS, &self.counters), (EVENTS, &self.events), (MEMORY, &self.memory)]
    }
}

impl Programs {
    fn named(&self) -> [(&'static str, &OwnedFd); 3] {
        [(FROM_VM, &self.from_vm), (TO_VM, &self.to_vm), (CLOCK, &self.clock)]
    }
}
