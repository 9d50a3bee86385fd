//! A libvirt of its own: its files, its network and its accounts are nobody else's, and it ends with the value.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use palisade_recovery::revert::{Machine as _, libvirt::Libvirt};

const PATIENCE: Duration = Duration::from_secs(60);
/// Mounts, processes and network of its own. libvirt wants an account that a machine without it has not.
const DAEMON: &str = r#"set -eu
cd "$1"
mount --make-rprivate /
mount --bind passwd /etc/passwd
mount --bind group /etc/group
mount --bind run /run
for folder in /var/lib /var/log /var/cache; do mount -t tmpfs tmpfs "$folder"; done
mount --bind conf /etc/libvirt
ip link set lo up
# The first process here inherits those of machines, and a shell that waits collects them; libvirt would wait for them for ever.
libvirtd &
wait
"#;
const SETTINGS: &str = r#"user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = []
stdio_handler = "file"
security_driver = "none"
namespaces = []
"#;

pub struct Daemon {
    process: Child,
    machine: Libvirt,
}

impl Daemon {
    /// libvirt with a machine on this disk; nothing, with a word why, where it cannot be.
    pub fn start(folder: &Path, disk: &Path) -> Option<Self> {
        let is_there = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
        if let Some(tool) = ["libvirtd", "virsh", "unshare"].into_iter().find(|tool| !is_there(tool)) {
            println!("skipped: {tool} is not installed");
            return None;
        }
        if !nix::unistd::geteuid().is_root() || !Path::new("/etc/libvirt").is_dir() {
            println!("skipped: a libvirt of its own needs root, and /etc/libvirt of its package");
            return None;
        }
        for name in ["run", "conf"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        for (name, line) in [
            ("passwd", "libvirt-qemu:x:64055:64055::/:/bin/false\n"),
            ("group", "libvirt-qemu:x:64055:\nkvm:x:64056:\n"),
        ] {
            let text = fs::read_to_string(Path::new("/etc").join(name)).unwrap();
            fs::write(folder.join(name), text + line).unwrap();
        }
        fs::write(folder.join("conf/qemu.conf"), SETTINGS).unwrap();
        let process = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                DAEMON,
                "daemon",
            ])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("said")).unwrap())
            .spawn()
            .unwrap();
        let socket = folder.join("run/libvirt/libvirt-sock");
        let machine = Libvirt {
            connect: format!("qemu:///system?socket={}", socket.display()),
            domain: "web".into(),
            links: vec!["vm-web".into()],
        };
        let daemon = Self { process, machine };
        daemon.wait(folder);
        fs::write(folder.join("web.xml"), domain(disk)).unwrap();
        daemon.virsh(&["define", folder.join("web.xml").to_str().unwrap()]);
        Some(daemon)
    }

    pub fn machine(&self) -> Libvirt {
        self.machine.clone()
    }

    /// What virsh says.
    pub fn virsh(&self, words: &[&str]) -> String {
        let output = self.try_virsh(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn try_virsh(&self, words: &[&str]) -> std::process::Output {
        Command::new("virsh").args(["-q", "-c", &self.machine.connect]).args(words).output().unwrap()
    }

    fn wait(&self, folder: &Path) {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_virsh(&["version"]).status.success() {
            let said = || fs::read_to_string(folder.join("said")).unwrap();
            assert!(Instant::now() < deadline, "libvirtd does not answer: {}", said());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its processes end with it, machines too.
        let _ = self.machine.power_off();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn domain(disk: &Path) -> String {
    format!(
        "<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory><os><type machine='pc'>hvm</type></os><devices>\
         <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>\
         <interface type='ethernet'><target dev='vm-web'/><model type='virtio'/></interface></devices></domain>",
        disk.display()
    )
}
