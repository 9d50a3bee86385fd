//! The bpf(2) commands of the benchmark's own programs: maps with one entry, load, attach, run.
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

/// The only key of every map.
static KEY: u32 = 0;

/// An array that holds one program, for [`Program::tail_call`].
#[derive(Debug)]
pub struct Target(OwnedFd);

impl Target {
    /// An array with this program.
    pub fn new(program: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: the name is a C string; a null pointer stands for no options.
        let map = owned(unsafe {
            raw::bpf_map_create(
                raw::BPF_MAP_TYPE_PROG_ARRAY,
                c"plsd_bench".as_ptr(),
                4,
                4,
                1,
                std::ptr::null(),
            )
        })?;
        let descriptor = program.as_raw_fd();
        // SAFETY: the value of such a map is a descriptor; both live during the call.
        check(unsafe {
            raw::bpf_map_update_elem(
                map.as_raw_fd(),
                (&raw const KEY).cast(),
                (&raw const descriptor).cast(),
                0,
            )
        })?;
        Ok(Self(map))
    }

    /// The array's descriptor.
    pub fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A frame before the stack has it.
    Xdp,
    /// A packet that arrived at an interface.
    Ingress,
    /// A packet that leaves through an interface.
    Egress,
}

impl Kind {
    const fn numbers(self) -> (raw::bpf_prog_type, raw::bpf_attach_type) {
        match self {
            Self::Xdp => (raw::BPF_PROG_TYPE_XDP, raw::BPF_XDP),
            Self::Ingress => (raw::BPF_PROG_TYPE_SCHED_CLS, raw::BPF_TCX_INGRESS),
            Self::Egress => (raw::BPF_PROG_TYPE_SCHED_CLS, raw::BPF_TCX_EGRESS),
        }
    }
}

/// Loads a program.
pub fn load(kind: Kind, program: &Program) -> io::Result<OwnedFd> {
    let (kind, attach) = kind.numbers();
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

/// Puts a program at an interface of this network namespace, behind all others that are there.
pub fn attach(kind: Kind, program: BorrowedFd<'_>, ifindex: u32) -> io::Result<OwnedFd> {
    let (_, place) = kind.numbers();
    let opts = raw::bpf_link_create_opts {
        sz: size_of::<raw::bpf_link_create_opts>() as raw::size_t,
        flags: if kind == Kind::Xdp { XDP_FLAGS_SKB_MODE } else { raw::BPF_F_AFTER },
        ..Default::default()
    };
    let target = i32::try_from(ifindex).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `opts` is complete, says its size, and lives during the call.
    owned(unsafe { raw::bpf_link_create(program.as_raw_fd(), target, place, &raw const opts) })
}

/// From `linux/if_link.h`: the stack runs the program, so any driver will do.
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;

/// Lets `repeat` frames that begin as `frame` and that `program` then changes arrive at an interface of this network
/// namespace.
pub fn run_live(program: BorrowedFd<'_>, frame: &[u8], ifindex: u32, repeat: u32) -> io::Result<()> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput);
    // `struct xdp_md`: start and end of the packet, start of what precedes it, interface, queue, interface out.
    let context = [0, size(frame)?, 0, ifindex, 0, 0].map(u32::to_ne_bytes).concat();
    let mut opts = raw::bpf_test_run_opts {
        sz: size_of::<raw::bpf_test_run_opts>() as raw::size_t,
        data_in: frame.as_ptr().cast(),
        data_size_in: size(frame)?,
        ctx_in: context.as_ptr().cast(),
        ctx_size_in: size(&context)?,
        repeat: i32::try_from(repeat).map_err(|_| io::ErrorKind::InvalidInput)?,
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
