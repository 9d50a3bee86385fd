//! vDPA devices: cards that speak virtio with a machine.
//!
//! The system does not tell their hardware address; where one belongs to a virtual function, that has it.

use std::fs;
use std::path::PathBuf;

use super::{Bypass, BypassKind, Roots, entries, target_name};

/// The file of a device that a machine uses begins so.
const FILE_PREFIX: &str = "vhost-vdpa-";

/// Every device that a driver holds: `vhost_vdpa` gives it to machines, `virtio_vdpa` to this host or a container.
pub(super) fn devices(roots: &Roots, functions: &[Bypass]) -> Vec<Bypass> {
    let one = |(name, path): (String, PathBuf)| {
        let driver = target_name(&path.join("driver"))?;
        let children = entries(&path).into_iter().map(|(child, _)| child);
        let files: Vec<String> = children.filter(|child| child.starts_with(FILE_PREFIX)).collect();
        let paths: Vec<String> = files.iter().map(|file| format!("/dev/{file}")).collect();
        Some(Bypass {
            kind: BypassKind::Vdpa,
            mac: function_of(&path, functions).and_then(|function| function.mac),
            names: [vec![name], paths, files].concat(),
            driver: Some(driver),
        })
    };
    entries(&roots.sys.join("bus/vdpa/devices")).into_iter().filter_map(one).collect()
}

/// The virtual function that a device is part of.
fn function_of<'a>(device: &std::path::Path, functions: &'a [Bypass]) -> Option<&'a Bypass> {
    let place = fs::canonicalize(device).ok()?;
    let mut parts = place.components().rev().map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.find_map(|part| functions.iter().find(|function| function.is_called(&part)))
}
