//! Cards and virtual functions that were handed to a machine or to a program.
//!
//! A function that this host itself uses is an interface like any other card; one whose interface went to another
//! namespace is not here to be seen, and its frames are not either.

use std::fs;
use std::path::PathBuf;

use super::{Bypass, BypassKind, FunctionMac, Roots, entries, target_name};

/// Parts of the names of drivers that hand a card out: `vfio-pci`, `mlx5_vfio_pci`, `uio_pci_generic`, `igb_uio` and so on.
const HANDING_OUT: [&str; 4] = ["vfio", "uio", "pci-stub", "pciback"];
/// Begins the class code of network cards.
const NETWORK_CLASS: &str = "0x02";
const FUNCTION_PREFIX: &str = "virtfn";

fn devices(roots: &Roots) -> PathBuf {
    roots.sys.join("bus/pci/devices")
}

/// Whether a card has virtual functions now.
pub(super) fn has_functions(roots: &Roots, card: &str) -> bool {
    devices(roots).join(card).join("virtfn0").exists()
}

/// Virtual functions whose frames this host does not see.
pub(super) fn functions(roots: &Roots, macs: &[FunctionMac]) -> Vec<Bypass> {
    let cards = entries(&devices(roots)).into_iter();
    cards.flat_map(|(card, path)| functions_of(&card, &path, macs)).collect()
}

fn functions_of(card: &str, path: &std::path::Path, macs: &[FunctionMac]) -> Vec<Bypass> {
    let one = |(name, path): (String, PathBuf)| {
        let number: u32 = name.strip_prefix(FUNCTION_PREFIX)?.parse().ok()?;
        let driver = target_name(&path.join("driver"))?;
        let is_seen = !is_handed_out(&driver) && !entries(&path.join("net")).is_empty();
        let mac = macs.iter().find(|found| found.card == card && found.number == number);
        (!is_seen).then(|| Bypass {
            kind: BypassKind::VirtualFunction,
            names: target_name(&path).into_iter().collect(),
            mac: mac.map(|found| found.mac),
            driver: Some(driver),
        })
    };
    entries(path).into_iter().filter_map(one).collect()
}

/// Whole network cards that were handed out. Their hardware addresses went with them.
pub(super) fn cards(roots: &Roots) -> Vec<Bypass> {
    let one = |(address, path): (String, PathBuf)| {
        let driver = target_name(&path.join("driver")).filter(|driver| is_handed_out(driver))?;
        let is_network =
            fs::read_to_string(path.join("class")).is_ok_and(|class| class.starts_with(NETWORK_CLASS));
        let is_whole = !path.join("physfn").exists();
        (is_network && is_whole).then(|| Bypass {
            kind: BypassKind::Card,
            names: vec![address],
            mac: None,
            driver: Some(driver),
        })
    };
    entries(&devices(roots)).into_iter().filter_map(one).collect()
}

fn is_handed_out(driver: &str) -> bool {
    HANDING_OUT.iter().any(|part| driver.contains(part))
}
