//! Hosts that are made up: a planted device tree and a planted list of sockets.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

/// A made-up host.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn roots(&self) -> Roots {
        Roots { sys: self.dir.path().join("sys"), sockets: self.dir.path().join("unix") }
    }

    /// A PCI device with this driver and class.
    fn pci(&self, address: &str, driver: &str, class: &str) -> PathBuf {
        let device = self.dir.path().join("sys/bus/pci/devices").join(address);
        fs::create_dir_all(&device).unwrap();
        symlink(format!("../../drivers/{driver}"), device.join("driver")).unwrap();
        fs::write(device.join("class"), format!("{class}\n")).unwrap();
        device
    }

    /// A virtual function of a card.
    fn function(&self, card: &str, number: u32, address: &str, driver: &str) -> PathBuf {
        let function = self.pci(address, driver, "0x020000");
        symlink(format!("../{card}"), function.join("physfn")).unwrap();
        symlink(
            format!("../{address}"),
            function.parent().unwrap().join(card).join(format!("virtfn{number}")),
        )
        .unwrap();
        function
    }

    fn find(&self, functions: &[FunctionMac], tags: &[&str]) -> Vec<String> {
        let found = find(&self.roots(), functions, tags.iter().copied());
        let mac = |device: &Bypass| device.mac.map(|mac| format!(" {mac}")).unwrap_or_default();
        found.iter().map(|device| format!("{device}{}", mac(device))).collect()
    }
}

fn mac(number: u32, last: u8) -> FunctionMac {
    FunctionMac { card: "0000:03:00.0".into(), number, mac: Mac([0x52, 0x54, 0, 0, 0, last]) }
}

#[test]
fn a_host_without_such_devices_has_none() {
    let host = Host::new();
    assert_eq!(host.find(&[], &["tap0"]), [""; 0]);
    host.pci("0000:03:00.0", "mlx5_core", "0x020000");
    assert_eq!(host.find(&[], &["tap0"]), [""; 0]);
}

#[test]
fn functions_that_were_handed_out_are_found_with_their_addresses() {
    let host = Host::new();
    host.pci("0000:03:00.0", "mlx5_core", "0x020000");
    assert!(!pci::has_functions(&host.roots(), "0000:03:00.0"));
    host.function("0000:03:00.0", 0, "0000:03:00.1", "vfio-pci");
    host.function("0000:03:00.0", 1, "0000:03:00.2", "mlx5_vfio_pci");
    let seen = host.function("0000:03:00.0", 2, "0000:03:00.3", "mlx5_core");
    fs::create_dir_all(seen.join("net/ens3v2")).unwrap();
    host.function("0000:03:00.0", 3, "0000:03:00.4", "mlx5_core");
    assert!(pci::has_functions(&host.roots(), "0000:03:00.0"));
    assert_eq!(
        host.find(&[mac(0, 1), mac(2, 3), mac(3, 4)], &[]),
        [
            "SR-IOV virtual function 0000:03:00.1 (driver vfio-pci) 52:54:00:00:00:01",
            "SR-IOV virtual function 0000:03:00.2 (driver mlx5_vfio_pci)",
            // Its interface is in another namespace; that of the third is here, and is an interface like any other.
            "SR-IOV virtual function 0000:03:00.4 (driver mlx5_core) 52:54:00:00:00:04",
        ]
    );
}

#[test]
fn whole_cards_are_found_and_other_devices_are_not() {
    let host = Host::new();
    host.pci("0000:04:00.0", "vfio-pci", "0x020000");
    host.pci("0000:05:00.0", "vfio-pci", "0x030000");
    host.pci("0000:06:00.0", "igb_uio", "0x020000");
    assert_eq!(
        host.find(&[], &[]),
        ["network card 0000:04:00.0 (driver vfio-pci)", "network card 0000:06:00.0 (driver igb_uio)"]
    );
}

#[test]
fn a_vdpa_device_has_the_address_of_its_function() {
    let host = Host::new();
    host.pci("0000:03:00.0", "mlx5_core", "0x020000");
    let function = host.function("0000:03:00.0", 0, "0000:03:00.1", "mlx5_core");
    for (place, name, driver) in
        [(function.as_path(), "vdpa0", "vhost_vdpa"), (host.dir.path(), "vdpa1", "virtio_vdpa")]
    {
        let device = place.join(name);
        fs::create_dir(&device).unwrap();
        symlink(format!("/sys/bus/vdpa/drivers/{driver}"), device.join("driver")).unwrap();
        let list = host.dir.path().join("sys/bus/vdpa/devices");
        fs::create_dir_all(&list).unwrap();
        symlink(&device, list.join(name)).unwrap();
    }
    fs::create_dir(function.join("vdpa0/vhost-vdpa-0")).unwrap();
    assert_eq!(
        host.find(&[mac(0, 1)], &[])[1..],
        ["vDPA device vdpa0 (driver vhost_vdpa) 52:54:00:00:00:01", "vDPA device vdpa1 (driver virtio_vdpa)"]
    );
    let found = find(&host.roots(), &[], []);
    for name in ["vdpa0", "vhost-vdpa-0", "/dev/vhost-vdpa-0"] {
        assert!(found[1].is_called(name), "{name}");
    }
}

#[test]
fn sockets_count_only_if_a_nic_names_them() {
    let host = Host::new();
    let list = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                0000000000000000: 00000002 00000000 00010000 0001 01 23456 /run/open vswitch/vhu1.sock\n\
                0000000000000000: 00000003 00000000 00000000 0001 03  1588\n\
                0000000000000000: 00000003 00000000 00000000 0001 03 15880 @/abstract/vhu2\n";
    fs::write(host.roots().sockets, list).unwrap();
    let socket = "vhost-user socket /run/open vswitch/vhu1.sock";
    for tag in ["vhu1", "vhu1.sock", "/run/open vswitch/vhu1.sock"] {
        assert_eq!(host.find(&[], &[tag, "tap0"]), [socket], "{tag}");
    }
    assert_eq!(host.find(&[], &["vhu2", "vswitch", "/abstract/vhu2"]), [""; 0]);

    let elsewhere = host.dir.path().join("vhu3");
    let _listener = UnixListener::bind(&elsewhere).unwrap();
    let tag = elsewhere.to_str().unwrap();
    assert_eq!(host.find(&[], &[tag]), [format!("vhost-user socket {tag}")], "in no list, and yet there");
    assert_eq!(host.find(&[], &[host.dir.path().to_str().unwrap()]), [""; 0], "a folder is no socket");
}

#[test]
fn what_stands_against_it_is_said() {
    let kinds = [BypassKind::VhostUser, BypassKind::Vdpa, BypassKind::VirtualFunction, BypassKind::Card];
    for kind in kinds {
        let why = Bypass { kind, names: vec![], mac: None, driver: None }.why();
        assert!(why.contains("network stack") && why.ends_with("(use a tap in a bridge)"), "{why}");
    }
}
