//! The bpf(2) commands that libbpf-rs has no safe form of. Nothing here knows what is pinned or why.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use libbpf_rs::libbpf_sys as raw;

/// Where a program stands at an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Frames that come from the interface.
    Ingress,
    /// Frames that go out of the interface.
    Egress,
}

impl Hook {
    fn attach_type(self) -> raw::bpf_attach_type {
        match self {
            Self::Ingress => raw::BPF_TCX_INGRESS,
            Self::Egress => raw::BPF_TCX_EGRESS,
        }
    }
}

/// What the kernel says about a tcx link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkInfo {
    /// 0 once the interface is gone.
    pub ifindex: u32,
    pub program_id: u32,
    pub ingress: bool,
}

/// libbpf returns a file descriptor or 0, or minus an errno.
fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
}

fn owned(result: i32) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    check(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Pins a map, program or link.
pub(crate) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: both arguments live during the call.
    check(unsafe { raw::bpf_obj_pin(object.as_raw_fd(), path.as_ptr()) }).map(drop)
}

/// Opens what is pinned.
pub(crate) fn get(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: the path lives during the call.
    owned(unsafe { raw::bpf_obj_get(path.as_ptr()) })
}

/// Puts a program before all others at an interface's hook: a program in front could end the chain with a pass.
pub(crate) fn attach_tcx(program: BorrowedFd<'_>, ifindex: u32, hook: Hook) -> io::Result<OwnedFd> {
    let opts = raw::bpf_link_create_opts {
        sz: size_of::<raw::bpf_link_create_opts>() as raw::size_t,
        flags: raw::BPF_F_BEFORE,
        ..Default::default()
    };
    let target = i32::try_from(ifindex).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `opts` is complete, says its size, and lives during the call.
    owned(unsafe { raw::bpf_link_create(program.as_raw_fd(), target, hook.attach_type(), &raw const opts) })
}

/// Swaps the program of a link in one step.
pub(crate) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain descriptors; a null pointer stands for no options.
    check(unsafe { raw::bpf_link_update(link.as_raw_fd(), program.as_raw_fd(), std::ptr::null()) }).map(drop)
}

/// Takes a link's program off its interface, whoever else holds the link.
pub(crate) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a plain descriptor.
    check(unsafe { raw::bpf_link_detach(link.as_raw_fd()) }).map(drop)
}

/// Where a link is attached; an error if it is no tcx link.
pub(crate) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let mut info = raw::bpf_link_info::default();
    let mut size = size_of::<raw::bpf_link_info>() as u32;
    // SAFETY: `info` and `size` live during the call and the size is that of `info`.
    check(unsafe { raw::bpf_link_get_info_by_fd(link.as_raw_fd(), &raw mut info, &raw mut size) })?;
    if info.type_ != raw::BPF_LINK_TYPE_TCX {
        return Err(io::Error::other("the pinned link is not a tcx link"));
    }
    // SAFETY: the type says which member of the union the kernel filled.
    let tcx = unsafe { info.__bindgen_anon_1.tcx };
    Ok(LinkInfo {
        ifindex: tcx.ifindex,
        program_id: info.prog_id,
        ingress: tcx.attach_type == raw::BPF_TCX_INGRESS,
    })
}

/// The kernel's number of a program.
pub(crate) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    program_info(program).map(|info| info.id)
}

/// What the kernel says about a program.
pub(crate) fn program_info(program: BorrowedFd<'_>) -> io::Result<raw::bpf_prog_info> {
    let mut info = raw::bpf_prog_info::default();
    let mut size = size_of::<raw::bpf_prog_info>() as u32;
    // SAFETY: `info` and `size` live during the call; zeroed pointers in it ask for no further data.
    check(unsafe { raw::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut size) })?;
    Ok(info)
}

/// Result of a test run: the program's return value and the mean time of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestRun {
    pub value: u32,
    pub duration_ns: u32,
}

/// Runs a packet program on `data` with the given `__sk_buff`.
pub(crate) fn run_packet(
    program: BorrowedFd<'_>,
    data: &[u8],
    context: &[u8],
    repeat: u32,
) -> io::Result<TestRun> {
    let size =
        |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let mut opts = raw::bpf_test_run_opts {
        sz: size_of::<raw::bpf_test_run_opts>() as raw::size_t,
        data_in: data.as_ptr().cast(),
        data_size_in: size(data)?,
        ctx_in: context.as_ptr().cast(),
        ctx_size_in: size(context)?,
        repeat: i32::try_from(repeat).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        ..Default::default()
    };
    // SAFETY: the slices live during the call and their sizes are given; no output is asked for.
    check(unsafe { raw::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut opts) })?;
    Ok(TestRun { value: opts.retval, duration_ns: opts.duration })
}

/// Runs a syscall program; it reads and changes `context`.
pub(crate) fn run_syscall(program: BorrowedFd<'_>, context: &mut [u8]) -> io::Result<u32> {
    let mut opts = raw::bpf_test_run_opts {
        sz: size_of::<raw::bpf_test_run_opts>() as raw::size_t,
        ctx_in: context.as_mut_ptr().cast(),
        ctx_size_in: u32::try_from(context.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        ..Default::default()
    };
    // SAFETY: the kernel copies the context in and, for this program type, back out; it lives during the call.
    check(unsafe { raw::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut opts) })?;
    Ok(opts.retval)
}
