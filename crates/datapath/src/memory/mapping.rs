//! The shared memory in this process: an arena, or an array where the kernel has no arenas.
//!
//! The kernel accepts an arena only at the address fixed when it was made, so a process maps each memory once and
//! shares the mapping. It does not know what lies where. Bounds are checked on every access; words that the kernel
//! program reads or writes while they change are accessed atomically, all others are never changed while they can be seen.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr::NonNull,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use libbpf_rs::{MapHandle, MapInfo, MapType, libbpf_sys};
use palisade_abi::{
    Pod,
    arena::{ARENA_PAGES, ARRAY_BYTES},
};

use crate::error::{Context, Error};

const PAGE: usize = 4096;
/// Bytes of an arena.
const ARENA_BYTES: usize = ARENA_PAGES as usize * PAGE;
/// Bytes of the array's one value: the program masks the offset of a struct, and its last field lies up to a page beyond.
const ARRAY_VALUE_BYTES: usize = ARRAY_BYTES as usize + PAGE;
/// Arenas live here, one every 4 GiB: far from where Linux puts programs, libraries and heaps.
const PLACES_START: usize = 0x2000_0000_0000;
/// The kernel program takes an offset for a pointer, which holds at multiples of 4 GiB.
const PLACE_BYTES: usize = 1 << 32;
const PLACES: usize = 4096;

static MAPPED: Mutex<Vec<(u32, Weak<Mapping>)>> = Mutex::new(Vec::new());

/// What the shared memory is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryKind {
    /// A BPF arena (Linux 6.9): takes memory only where something was written.
    Arena,
    /// One array value: all of it is taken when it is made.
    Array,
}

/// A mapped memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    kind: MemoryKind,
    /// Bytes that are mapped.
    mapped: usize,
}

// SAFETY: the mapping is plain shared memory for as long as the value lives; accesses are bounds-checked copies.
unsafe impl Send for Mapping {}
// SAFETY: as above. Concurrent copies of memory that is being written can tear, never do harm; what is read by more
// than one party is immutable once it is reachable, or is accessed by atomic words.
unsafe impl Sync for Mapping {}

/// Makes a memory. `seed` spreads the arenas of instances over the addresses that this process has free.
pub(crate) fn create(kind: MemoryKind, seed: u64) -> Result<MapHandle, Error> {
    match kind {
        MemoryKind::Arena => create_arena(seed),
        MemoryKind::Array => create_array(),
    }
}

fn create_arena(seed: u64) -> Result<MapHandle, Error> {
    let address = (0..PLACES)
        .map(|step| PLACES_START + (seed as usize).wrapping_add(step) % PLACES * PLACE_BYTES)
        .find(|address| is_free(*address))
        .ok_or_else(|| io::Error::other("no free address"))
        .context(|| "find room for the arena".into())?;
    let opts = libbpf_sys::bpf_map_create_opts { map_extra: address as u64, ..mappable() };
    MapHandle::create(MapType::Arena, Some("arena"), 0, 0, ARENA_PAGES, &opts)
        .context(|| "create the arena (Linux 6.9 or newer is needed, see `palisade doctor`)".into())
}

fn create_array() -> Result<MapHandle, Error> {
    MapHandle::create(MapType::Array, Some("memory"), 4, ARRAY_VALUE_BYTES as u32, 1, &mappable())
        .context(|| format!("create the array of {} MiB that stands in for the arena", ARRAY_BYTES >> 20))
}

fn mappable() -> libbpf_sys::bpf_map_create_opts {
    libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
        map_flags: libbpf_sys::BPF_F_MMAPABLE,
        ..Default::default()
    }
}

fn is_free(address: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping that replaces nothing, unmapped again at once if it was made.
    unsafe { map_at(address, ARENA_BYTES, libc::PROT_NONE, flags, -1) }.is_some_and(|base| {
        // SAFETY: `base` is the mapping made a line above, and nothing points into it.
        unsafe { libc::munmap(base.as_ptr().cast(), ARENA_BYTES) == 0 }
    })
}

/// # Safety
/// As mmap(2); an address in use is refused, not replaced, and 0 leaves the choice to the kernel.
unsafe fn map_at(address: usize, bytes: usize, protection: i32, flags: i32, fd: i32) -> Option<NonNull<u8>> {
    let wish = NonZeroUsize::new(address);
    let flags = flags | wish.map_or(0, |_| libc::MAP_FIXED_NOREPLACE);
    let wish = wish.map_or(std::ptr::null_mut(), |address| address.get() as *mut libc::c_void);
    // SAFETY: the caller vouches for the descriptor; the flag forbids replacing what is mapped.
    let base = unsafe { libc::mmap(wish, bytes, protection, flags, fd, 0) };
    if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) }
}

impl Mapping {
    /// Maps a memory, or shares the mapping that this process has of it.
    pub(crate) fn open(map: &MapHandle) -> Result<Arc<Self>, Error> {
        let info = MapInfo::new(map.as_fd()).context(|| "read the shared memory's address".into())?.info;
        // Sizes are the kernel's: another version may have made its memory larger or smaller.
        let (kind, bytes) = match info.map_extra {
            0 => (MemoryKind::Array, info.value_size as usize),
            _ => (MemoryKind::Arena, info.max_entries as usize * PAGE),
        };
        let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
        mapped.retain(|(_, mapping)| mapping.strong_count() > 0);
        if let Some(shared) = mapped.iter().find(|(id, _)| *id == info.id).and_then(|(_, m)| m.upgrade()) {
            return Ok(shared);
        }
        let mapping = Arc::new(Self::map(map.as_fd(), kind, bytes, info.map_extra as usize)?);
        mapped.push((info.id, Arc::downgrade(&mapping)));
        Ok(mapping)
    }

    fn map(fd: BorrowedFd<'_>, kind: MemoryKind, mapped: usize, address: usize) -> Result<Self, Error> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the descriptor is a map that can be mapped, borrowed during the call.
        let base = unsafe { map_at(address, mapped, protection, libc::MAP_SHARED, fd.as_raw_fd()) };
        base.map(|base| Self { base, kind, mapped })
            .ok_or_else(io::Error::last_os_error)
            .context(|| format!("map the shared memory at {address:#x}"))
    }

    /// What it is made of.
    pub(crate) const fn kind(&self) -> MemoryKind {
        self.kind
    }

    /// Bytes that can be used.
    pub(crate) const fn bytes(&self) -> usize {
        match self.kind {
            MemoryKind::Arena => self.mapped,
            MemoryKind::Array => self.mapped.saturating_sub(PAGE),
        }
    }

    /// Whether `bytes` at `offset` are in the memory.
    pub(crate) const fn contains(&self, offset: u32, bytes: usize) -> bool {
        bytes <= self.bytes() && offset as usize <= self.bytes() - bytes
    }

    /// Gets the pages of a piece, so that writing there cannot fail and the kernel program finds them.
    pub(crate) fn populate(&self, offset: u32, bytes: usize) -> Result<(), Error> {
        let start = offset as usize / PAGE * PAGE;
        let end = (offset as usize + bytes).next_multiple_of(PAGE);
        let address = self.at(start as u32, end - start);
        // SAFETY: the range is inside the mapping, and the call changes no byte of it.
        let done = unsafe { libc::madvise(address.cast(), end - start, libc::MADV_POPULATE_WRITE) };
        let answer = if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        answer.context(|| format!("get {} KiB of memory", (end - start) >> 10))
    }

    /// The address of `bytes` at `offset`.
    ///
    /// # Panics
    /// If they are not in the memory: offsets come from the allocator or were checked when they were read.
    fn at(&self, offset: u32, bytes: usize) -> *mut u8 {
        assert!(self.contains(offset, bytes), "{bytes} bytes at {offset:#x} are outside the shared memory");
        // SAFETY: the assertion keeps the result inside the mapping.
        unsafe { self.base.as_ptr().add(offset as usize) }
    }

    /// Copies a value out that does not change.
    pub(crate) fn read<T: Pod>(&self, offset: u32) -> T {
        // SAFETY: `at` checks the bounds, and any bytes are a value of a `Pod` type.
        unsafe { self.at(offset, size_of::<T>()).cast::<T>().read_unaligned() }
    }

    /// Copies a value out that others may change meanwhile: each of its words is whole, all of them may not fit.
    pub(crate) fn load<T: Pod>(&self, offset: u32) -> T {
        const { assert!(size_of::<T>().is_multiple_of(8), "it is loaded in words of 8 bytes") };
        let mut value = std::mem::MaybeUninit::<T>::uninit();
        let words = size_of::<T>() / 8;
        assert!(self.contains(offset, size_of::<T>()) && offset.is_multiple_of(8));
        for index in 0..words {
            let word = self.wide(offset + 8 * index as u32).load(Ordering::Relaxed);
            // SAFETY: the word is inside `value`, which is as long as `words` words.
            unsafe { value.as_mut_ptr().cast::<u64>().add(index).write_unaligned(word) };
        }
        // SAFETY: every byte was written, and any bytes are a value of a `Pod` type.
        unsafe { value.assume_init() }
    }

    /// Copies bytes out that do not change.
    pub(crate) fn copy(&self, offset: u32, bytes: usize) -> Vec<u8> {
        let mut copy = vec![0; bytes];
        // SAFETY: `at` checks the bounds; the new vector does not overlap the memory.
        unsafe { self.at(offset, bytes).copy_to_nonoverlapping(copy.as_mut_ptr(), bytes) };
        copy
    }

    /// Copies bytes in, where nothing is published.
    pub(crate) fn write(&self, offset: u32, bytes: &[u8]) {
        // SAFETY: `at` checks the bounds; the slice is not shared memory, of which no slice is ever made.
        unsafe { self.at(offset, bytes.len()).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Zeroes bytes, where nothing is published.
    pub(crate) fn zero(&self, offset: u32, bytes: usize) {
        // SAFETY: `at` checks the bounds.
        unsafe { self.at(offset, bytes).write_bytes(0, bytes) };
    }

    /// A word of 4 bytes.
    pub(crate) fn word(&self, offset: u32) -> &AtomicU32 {
        let word = self.at(offset, 4).cast::<u32>();
        assert!(word.is_aligned(), "no word is at {offset:#x}");
        // SAFETY: in bounds and aligned; what is accessed as a word while it changes is accessed as nothing else.
        unsafe { AtomicU32::from_ptr(word) }
    }

    /// A word of 8 bytes.
    pub(crate) fn wide(&self, offset: u32) -> &AtomicU64 {
        let word = self.at(offset, 8).cast::<u64>();
        assert!(word.is_aligned(), "no word of 8 bytes is at {offset:#x}");
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(word) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and every reference into it borrowed from `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.mapped) };
    }
}
