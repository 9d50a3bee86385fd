//! Machines of a host that is made up of files.

use std::os::unix::fs::symlink;

use super::*;
use crate::interfaces::LinkKind;

/// A made-up host.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("proc/thread-self/ns")).unwrap();
        symlink("net:[1]", dir.path().join("proc/thread-self/ns/net")).unwrap();
        fs::create_dir(dir.path().join("libvirt")).unwrap();
        Self { dir }
    }

    /// A process with this command line and these open files: number, file, and what the system tells of it.
    fn run(&self, pid: u32, namespace: &str, line: &str, files: &[(u32, &str, &str)]) {
        let dir = self.dir.path().join(format!("proc/{pid}"));
        for part in ["ns", "fd", "fdinfo"] {
            fs::create_dir_all(dir.join(part)).unwrap();
        }
        fs::write(dir.join("cmdline"), line.split(' ').collect::<Vec<_>>().join("\0") + "\0").unwrap();
        symlink(namespace, dir.join("ns/net")).unwrap();
        symlink(self.dir.path(), dir.join("root")).unwrap();
        for (number, target, told) in files {
            symlink(target, dir.join(format!("fd/{number}"))).unwrap();
            fs::write(dir.join(format!("fdinfo/{number}")), told).unwrap();
        }
    }

    fn find(&self) -> Vec<Machine> {
        let places = Places { proc: self.dir.path().join("proc"), libvirt: self.dir.path().join("libvirt") };
        let link = Link {
            index: 12,
            name: "macvtap0".to_owned(),
            alias: None,
            mac: None,
            kind: LinkKind::Macvtap,
            card: None,
            is_up: true,
        };
        find(&places, &[link])
    }

    /// Name, hypervisor, and cards as `interface mac`.
    fn told(&self) -> Vec<String> {
        let card = |card: &Card| {
            let mac = card.mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string());
            format!(" {} {mac}", card.interface)
        };
        let told = |machine: &Machine| {
            let cards: String = machine.cards.iter().map(card).collect();
            format!("{} ({}):{cards}", machine.name, machine.hypervisor.name())
        };
        self.find().iter().map(told).collect()
    }
}

const HERE: &str = "net:[1]";
const TUN: &str = "/dev/net/tun";

#[test]
fn qemu_by_hand_in_each_of_its_forms() {
    let host = Host::new();
    let each = [
        "-name a -netdev tap,id=n0,ifname=tap0,script=no -device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01",
        "-name b -nic tap,ifname=tap1,mac=52:54:00:00:00:02,model=e1000",
        "-name c -net nic,macaddr=52:54:00:00:00:03 -net tap,ifname=tap2",
        "--name d --netdev tap,id=n0,ifname=tap3 --device virtio-net-pci,netdev=n0",
        "-name e -netdev user,id=n0 -device e1000,netdev=n0,mac=52:54:00:00:00:05",
        "-netdev tap,id=n0,ifname=tap,,x -device e1000,netdev=n0",
    ];
    for (line, pid) in each.iter().zip(10..) {
        host.run(pid, HERE, &format!("/usr/bin/qemu-system-x86_64 -m 512 {line} -daemonize"), &[]);
    }
    let expect = [
        "a (QEMU): tap0 52:54:00:00:00:01",
        "b (QEMU): tap1 52:54:00:00:00:02",
        "c (QEMU): tap2 52:54:00:00:00:03",
        "d (QEMU): tap3 -",
        "e (QEMU):",
        "process 15 (QEMU): tap,x -",
    ];
    assert_eq!(host.told(), expect);
}

#[test]
fn libvirt_hands_over_open_devices_and_keeps_records() {
    let host = Host::new();
    let line = "/usr/bin/qemu-system-x86_64 -name guest=web1,debug-threads=on \
                -netdev {\"type\":\"tap\",\"fd\":\"33\",\"vhost\":true,\"id\":\"hostnet0\"} \
                -device {\"driver\":\"virtio-net-pci\",\"netdev\":\"hostnet0\",\"mac\":\"52:54:00:00:00:01\"} \
                -netdev tap,fds=34:35,id=hostnet1 -device virtio-net-pci,netdev=hostnet1,mac=52:54:00:00:00:02";
    let files = [
        (0, "/dev/null", ""),
        (33, TUN, "pos:\t0\niff:\tvnet0\n"),
        (34, "/dev/tap12", "pos:\t0\n"),
        (40, TUN, "pos:\t0\niff:\t\n"),
    ];
    host.run(20, HERE, line, &files);
    host.run(21, HERE, "/usr/bin/qemu-system-x86_64 -name guest=a&b", &[]);
    let record = "<domstatus state='running'><domain type='kvm'><name>a&amp;b</name><devices>\
                  <interface type='bridge'><mac address='52:54:00:00:00:03'/><target dev='vnet3'/></interface>\
                  <interface type='user'><mac address=\"52:54:00:00:00:04\"/></interface></devices></domain></domstatus>";
    fs::write(host.dir.path().join("libvirt/a.xml"), record).unwrap();
    fs::write(host.dir.path().join("libvirt/gone.xml"), record.replace("a&amp;b", "gone")).unwrap();
    fs::write(host.dir.path().join("libvirt/broken.xml"), "<name>x").unwrap();
    let expect = [
        "a&b (libvirt): vnet3 52:54:00:00:00:03",
        "web1 (libvirt): vnet0 52:54:00:00:00:01 macvtap0 52:54:00:00:00:02",
    ];
    assert_eq!(host.told(), expect);
}

#[test]
fn a_device_that_the_hypervisor_opened_itself_is_the_card_that_has_none() {
    let host = Host::new();
    let card = "-device e1000,netdev=n0,mac=52:54:00:00:00:01";
    let line = format!("qemu-system-aarch64 -name a -netdev bridge,id=n0,br=br0 {card}");
    host.run(30, HERE, &line, &[(9, TUN, "iff:\ttap9\n")]);
    let line = "qemu-system-aarch64 -name b -netdev bridge,id=n0,br=br0 -netdev bridge,id=n1,br=br0";
    host.run(31, HERE, line, &[(9, TUN, "iff:\ttap7\n"), (10, TUN, "iff:\ttap8\n")]);
    assert_eq!(host.told(), ["a (QEMU): tap9 52:54:00:00:00:01", "b (QEMU): tap7 - tap8 -"]);
}

#[test]
fn other_hypervisors() {
    let host = Host::new();
    let configuration = r#"{"boot-source": {}, "network-interfaces": [
        {"iface_id": "eth0", "guest_mac": "06:00:00:00:00:01", "host_dev_name": "fc0"},
        {"iface_id": "eth1", "host_dev_name": "fc1"}]}"#;
    fs::write(host.dir.path().join("vm.json"), configuration).unwrap();
    host.run(40, HERE, "/usr/bin/firecracker --id fire --config-file /vm.json", &[]);
    host.run(41, HERE, "firecracker --api-sock /run/x", &[(7, TUN, "iff:\tfc2\n")]);
    let line = "cloud-hypervisor --kernel x --net tap=ch0,mac=06:00:00:00:00:02 tap=ch1 --disk path=y,mac=z";
    host.run(42, HERE, line, &[]);
    let expect = [
        "fire (Firecracker): fc0 06:00:00:00:00:01 fc1 -",
        "process 41 (Firecracker): fc2 -",
        "process 42 (Cloud Hypervisor): ch0 06:00:00:00:00:02 ch1 -",
    ];
    assert_eq!(host.told(), expect);
}

#[test]
fn what_is_elsewhere_or_no_machine_is_left_out() {
    let host = Host::new();
    host.run(50, "net:[2]", "qemu-system-x86_64 -nic tap,ifname=tap0", &[]);
    host.run(51, HERE, "/usr/bin/vim qemu-system-x86_64", &[(5, TUN, "iff:\ttap0\n")]);
    host.run(52, HERE, "", &[]);
    assert_eq!(host.told(), [""; 0]);
}
