//! Waits until no packet is judged by memory that was replaced.
//!
//! Packet programs run inside RCU read sections. The kernel promises that an update of a map of maps returns only
//! after every program that could see the old map is done, which is exactly that wait; nothing else is stored there.
//! (`membarrier` would do the same today, but does not promise it, and refuses on hosts with `nohz_full` CPUs.)

use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, libbpf_sys};

use crate::error::{Context, Error};

/// A map of maps of our own, and the one map in it.
#[derive(Debug)]
pub(crate) struct Grace {
    outer: MapHandle,
    inner: MapHandle,
}

impl Grace {
    pub(crate) fn new() -> Result<Self, Error> {
        let plain = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            ..Default::default()
        };
        let what = || "create the map that waits for packets under way".to_owned();
        let inner =
            MapHandle::create(MapType::Array, Some("plsd_grace_in"), 4, 4, 1, &plain).context(what)?;
        let holding =
            libbpf_sys::bpf_map_create_opts { inner_map_fd: inner.as_fd().as_raw_fd() as u32, ..plain };
        let outer =
            MapHandle::create(MapType::ArrayOfMaps, Some("plsd_grace"), 4, 4, 1, &holding).context(what)?;
        Ok(Self { outer, inner })
    }

    /// Returns when every packet that began before the call has been judged.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        let inner = self.inner.as_fd().as_raw_fd().to_ne_bytes();
        self.outer
            .update(&0u32.to_ne_bytes(), &inner, MapFlags::ANY)
            .context(|| "wait for the packets under way".into())
    }
}
