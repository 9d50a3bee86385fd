//! The bpf(2) commands of the benchmark's own programs: one map with one value, load, attach, run.
//!
//! Nothing is pinned: everything is gone with the process, however it ends.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use libbpf_rs::libbpf_sys as raw;

use super::asm::Program;

/// One value of plain bytes that a program and this process share.
#[derive(Debug)]
pub struct Shared {
    map: OwnedFd,
    bytes: usize,
}

impl Shared {
    /// A value of zeros.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let size = u32::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the name is a C string; a null pointer stands for no options.
        let map = owned(unsafe {
            raw::bpf_map_create(raw::BPF_MAP_TYPE_ARRAY, c"plsd_bench".as_ptr(), 4, size, 1, std::ptr::null())
        })?;
        Ok(Self { map, bytes })
    }

    /// The map's descriptor, for [`Program::map_value`].
    pub fn descriptor(&self) -> i32 {
        self.map.as_raw_fd()
    }

    /// Reads the value.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut value = vec![0; self.bytes];
        // SAFETY: the key is the four bytes and the value the `self.bytes` bytes that the map was made with.
        check(unsafe {
            raw::bpf_map_lookup_elem(self.descriptor(), (&raw const KEY).cast(), value.as_mut_ptr().cast())
        })?;
        Ok(value)
    }

    /// Replaces the value.
    pub fn write(&self, value: &[u8]) -> io::Result<()> {
        assert_eq!(value.len(), self.bytes, "the value is as large as the map was made");
        // SAFETY: as above.
        check(unsafe {
            raw::bpf_map_update_elem(self.descriptor(), (&raw const KEY).cast(), value.as_ptr().cast(), 0)
        })
        .map(drop)
    }
}

/// The only key.
static KEY: u32 = 0;

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A frame before the stack has it.
    Xdp,
    /// A packet that leaves through an interface.
    Egress,
}

/// Loads a program.
pub fn load(kind: Kind, program: &Program) -> io::Result<OwnedFd> {
    let (kind, attach) = match kind {
        Kind::Xdp => (raw::BPF_PROG_TYPE_XDP, raw::BPF_XDP),
        Kind::Egress => (raw::BPF_PROG_TYPE_SCHED_CLS, raw::BPF_TCX_EGRESS),
    };
    let mut opts = raw::bpf_prog_load_opts {
        sz: size_of::<raw::bpf_prog_load_opts>() as raw::size_t,
        expected_attach_type: attach,
        ..Default::default()
    };
    let words = program.words();
    // SAFETY: an instruction is 8 bytes without padding; all pointers live during the call.
    owned(unsafe {
        raw::bpf_prog_load(
            kind,
            c"plsd_bench".as_ptr(),
            c"Dual MIT/GPL".as_ptr(),
            words.as_ptr().cast(),
            words.len() as raw::size_t,
            &raw mut opts,
        )
    })
}

/// Puts a program behind all others where packets leave an interface of this network namespace.
pub fn attach_egress(program: BorrowedFd<'_>, ifindex: u32) -> io::Result<OwnedFd> {
    let opts = raw::bpf_link_create_opts {
        sz: size_of::<raw::bpf_link_create_opts>() as raw::size_t,
        flags: raw::BPF_F_AFTER,
        ..Default::default()
    };
    let target = i32::try_from(ifindex).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `opts` is complete, says its size, and lives during the call.
    owned(unsafe { raw::bpf_link_create(program.as_raw_fd(), target, raw::BPF_TCX_EGRESS, &raw const opts) })
}

/// Lets `repeat` frames that begin as `frame` and that `program` then changes arrive at an interface of this network
/// namespace.
pub fn run_live(program: BorrowedFd<'_>, frame: &[u8], ifindex: u32, repeat: u32) -> io::Result<()> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let context = raw::xdp_md {
        data_end: u32::try_from(frame.len()).map_err(invalid)?,
        ingress_ifindex: ifindex,
        ..Default::default()
    };
    let mut opts = raw::bpf_test_run_opts {
        sz: size_of::<raw::bpf_test_run_opts>() as raw::size_t,
        data_in: frame.as_ptr().cast(),
        data_size_in: context.data_end,
        ctx_in: (&raw const context).cast(),
        ctx_size_in: size_of::<raw::xdp_md>() as u32,
        repeat: i32::try_from(repeat).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        flags: raw::BPF_F_TEST_XDP_LIVE_FRAMES,
        ..Default::default()
    };
    // SAFETY: frame and context live during the call and their sizes are given; no output is asked for.
    check(unsafe { raw::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut opts) }).map(drop)
}

/// libbpf returns a descriptor or 0, or minus an errno.
fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
}

fn owned(result: i32) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    check(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}
