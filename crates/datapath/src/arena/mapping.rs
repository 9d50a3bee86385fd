//! The arena's memory in this process.
//!
//! The kernel accepts an arena only at the address fixed when it was made, so a process maps each arena once and
//! shares the mapping. It does not know what lies where. Bounds are checked on every access; words that the kernel
//! program reads while they change are stored atomically.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd},
    ptr::NonNull,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use libbpf_rs::{MapHandle, MapInfo, MapType, libbpf_sys};
use palisade_abi::{Pod, arena::ARENA_PAGES};

use crate::error::{Context, Error};

const PAGE: usize = 4096;
/// Bytes of the arena.
pub(crate) const ARENA_BYTES: usize = ARENA_PAGES as usize * PAGE;
/// Arenas live here, one every 4 GiB: far from where Linux puts programs, libraries and heaps.
const PLACES_START: usize = 0x2000_0000_0000;
/// The kernel program takes an offset for a pointer, which holds at multiples of 4 GiB.
const PLACE_BYTES: usize = 1 << 32;
const PLACES: usize = 4096;

static MAPPED: Mutex<Vec<(u32, Weak<Mapping>)>> = Mutex::new(Vec::new());

/// A mapped arena.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
}

// SAFETY: the mapping is plain shared memory for as long as the value lives; accesses are bounds-checked copies.
unsafe impl Send for Mapping {}
// SAFETY: as above. Concurrent copies of memory that is being written can tear, never do harm; what is read by more
// than one party is immutable once it is reachable, or is one atomic word.
unsafe impl Sync for Mapping {}

/// Makes an arena map at an address that this process has free; `seed` spreads instances over the places.
pub(crate) fn create(seed: u64) -> Result<MapHandle, Error> {
    let address = (0..PLACES)
        .map(|step| PLACES_START + (seed as usize + step) % PLACES * PLACE_BYTES)
        .find(|address| is_free(*address))
        .ok_or_else(|| io::Error::other("no free address"))
        .context(|| "find room for the arena".into())?;
    let opts = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
        map_flags: libbpf_sys::BPF_F_MMAPABLE,
        map_extra: address as u64,
        ..Default::default()
    };
    MapHandle::create(MapType::Arena, Some("arena"), 0, 0, ARENA_PAGES, &opts)
        .context(|| "create the arena (Linux 6.9 or newer is needed, see `palisade doctor`)".into())
}

fn is_free(address: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping that replaces nothing, unmapped again at once if it was made.
    unsafe { map_at(address, libc::PROT_NONE, flags, -1) }.is_some_and(|base| {
        // SAFETY: `base` is the mapping made a line above, and nothing points into it.
        unsafe { libc::munmap(base.as_ptr().cast(), ARENA_BYTES) == 0 }
    })
}

/// # Safety
/// As mmap(2); an address in use is refused, not replaced.
unsafe fn map_at(address: usize, protection: i32, flags: i32, fd: i32) -> Option<NonNull<u8>> {
    let wish = NonZeroUsize::new(address).map_or(std::ptr::null_mut(), |a| a.get() as *mut libc::c_void);
    let flags = flags | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: the caller vouches for the descriptor; the flag forbids replacing what is mapped.
    let base = unsafe { libc::mmap(wish, ARENA_BYTES, protection, flags, fd, 0) };
    if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) }
}

impl Mapping {
    /// Maps an arena, or shares the mapping that this process has of it.
    pub(crate) fn open(arena: &MapHandle) -> Result<Arc<Self>, Error> {
        let info = MapInfo::new(arena.as_fd()).context(|| "read the arena's address".into())?.info;
        let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
        mapped.retain(|(_, mapping)| mapping.strong_count() > 0);
        if let Some(shared) = mapped.iter().find(|(id, _)| *id == info.id).and_then(|(_, m)| m.upgrade()) {
            return Ok(shared);
        }
        let mapping = Arc::new(Self::map(arena.as_fd(), info.map_extra as usize)?);
        mapped.push((info.id, Arc::downgrade(&mapping)));
        Ok(mapping)
    }

    fn map(arena: BorrowedFd<'_>, address: usize) -> Result<Self, Error> {
        use std::os::fd::AsRawFd;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the descriptor is an arena map, borrowed during the call.
        let base = unsafe { map_at(address, protection, libc::MAP_SHARED, arena.as_raw_fd()) };
        base.map(|base| Self { base })
            .ok_or_else(io::Error::last_os_error)
            .context(|| format!("map the arena at {address:#x}"))
    }

    /// The address of `bytes` at `offset`.
    ///
    /// # Panics
    /// If they are not in the arena: offsets come from the allocator or were checked when they were read.
    fn at(&self, offset: u32, bytes: usize) -> *mut u8 {
        assert!(offset as usize + bytes <= ARENA_BYTES, "{bytes} bytes at {offset:#x} are outside the arena");
        // SAFETY: the assertion keeps the result inside the mapping.
        unsafe { self.base.as_ptr().add(offset as usize) }
    }

    /// Whether `bytes` at `offset` are in the arena.
    pub(crate) fn contains(offset: u32, bytes: usize) -> bool {
        bytes <= ARENA_BYTES && offset as usize <= ARENA_BYTES - bytes
    }

    /// Copies a value out.
    pub(crate) fn read<T: Pod>(&self, offset: u32) -> T {
        // SAFETY: `at` checks the bounds, and any bytes are a value of a `Pod` type.
        unsafe { self.at(offset, size_of::<T>()).cast::<T>().read_unaligned() }
    }

    /// Copies bytes out.
    pub(crate) fn copy(&self, offset: u32, bytes: usize) -> Vec<u8> {
        let mut copy = vec![0; bytes];
        // SAFETY: `at` checks the bounds; the new vector does not overlap the arena.
        unsafe { self.at(offset, bytes).copy_to_nonoverlapping(copy.as_mut_ptr(), bytes) };
        copy
    }

    /// Copies bytes in, where nothing is published.
    pub(crate) fn write(&self, offset: u32, bytes: &[u8]) {
        // SAFETY: `at` checks the bounds; the slice is not arena memory, of which no slice is ever made.
        unsafe { self.at(offset, bytes.len()).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// The word that selects what is published.
    pub(crate) fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: in bounds, aligned because offsets of words are multiples of 4 and the base is a page, and only
        // ever accessed as an atomic by this process after the arena was made.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    /// Stores a word after everything written before it.
    pub(crate) fn publish_word(&self, offset: u32, value: u32) {
        self.word(offset).store(value, Ordering::Release);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and every reference into it borrowed from `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), ARENA_BYTES) };
    }
}
