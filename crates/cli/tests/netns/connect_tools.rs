//! Real clients of real servers through a tunnel: `ssh` with `palisade connect --stdio` as its ProxyCommand, and FreeRDP.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use palisade_lab::{
    Lifetime,
    netns::{is_installed, obstacle, registry::unique_name, stage::Stage},
};

use crate::{
    PALISADE, PATIENCE,
    connect::Local,
    machine::{PARTS, SILENCE, VM, make_estate, wire},
    succeeded,
    up::{Up, login, palisade},
};

/// A machine's servers, in namespaces for mounts and processes of their own: nothing on the host changes.
const SCRIPT: &str = "set -eu
mount --make-rprivate /
mount --bind \"$1\" /mnt
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/xrdp \"$1\"
mount --bind /mnt \"$1\"
if command -v xrdp >/dev/null; then
    sed \"s#^LogFile=.*#LogFile=$1/xrdp.log#; s/^EnableSyslog=.*/EnableSyslog=false/\" /etc/xrdp/xrdp.ini >\"$1/xrdp.ini\"
    xrdp --nodaemon --config \"$1/xrdp.ini\" &
fi
exec /usr/sbin/sshd -D -E \"$1/sshd.log\" -f \"$1/sshd_config\"
";

/// They run until this is dropped.
struct Servers(Child);

impl Servers {
    fn start(stage: &Stage, folder: &Path) -> Self {
        for name in ["host-key", "user-key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(name));
            succeeded(keygen);
        }
        let place = folder.display();
        let config = format!(
            "HostKey {place}/host-key\nAuthorizedKeysFile {place}/user-key.pub\nPidFile none\nUsePAM no\nStrictModes no\n\
             PermitRootLogin yes\n"
        );
        fs::write(folder.join("sshd_config"), config).expect("the folder can be written");
        let mut unshare = stage.command("vm", "unshare").expect("the namespace is there");
        unshare
            .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "servers"])
            .arg(folder);
        Self(unshare.stdin(Stdio::null()).spawn().expect("unshare starts"))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Killing its first process ends all of them.
        let _over = self.0.kill();
        let _over = self.0.wait();
    }
}

/// Whether a port of the machine answers to a namespace.
fn answers(stage: &Stage, from: &str, port: u16) -> bool {
    let to: SocketAddr = format!("{VM}:{port}").parse().expect("an address");
    let connect = move || TcpStream::connect_timeout(&to, SILENCE).is_ok();
    stage.namespace(from).enter(connect).expect("the namespace is there")
}

fn wait_for(stage: &Stage, port: u16) {
    let begun = Instant::now();
    while !answers(stage, "vm", port) {
        assert!(begun.elapsed() < PATIENCE, "nothing serves port {port}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn ssh_and_freerdp_go_through_tunnels_to_ports_that_are_closed() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    if let Some(tool) = ["ssh", "ssh-keygen", "sshd", "unshare"].into_iter().find(|tool| !is_installed(tool))
    {
        println!("skipped: {tool} is missing (install openssh-client, openssh-server, util-linux)");
        return;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces");
    let (_up, client) = Up::start(&stage, &[]);
    stage.namespace("host").enter(|| make_estate(&client)).expect("the namespace is there");
    login(&stage);
    let folder = stage.folder();
    let _servers = Servers::start(&stage, &folder);
    palisade(&stage, &["jit", "policy", "vm1", "--port", "22", "--port", "3389"]);
    wait_for(&stage, 22);
    assert!(!["near", "far", "host"].into_iter().any(|from| answers(&stage, from, 22)));

    let mut ssh = stage.command("host", "ssh").expect("the namespace is there");
    ssh.args([
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "StrictHostKeyChecking=no",
    ])
    .args(["-o", "UserKnownHostsFile=/dev/null", "-o"])
    .arg(format!("ProxyCommand={PALISADE} connect vm1 22 --stdio --why test"))
    .arg("-i")
    .arg(folder.join("user-key"))
    .args(["root@vm1", "echo $SSH_CONNECTION; head -c 3000000 /dev/zero | wc -c"])
    .env("HOME", &folder)
    .env("SHELL", "/bin/sh")
    .env_remove("XDG_CONFIG_HOME")
    .env_remove("PALISADE_PROFILE")
    .stdin(Stdio::null());
    let said = String::from_utf8(succeeded(ssh).stdout).expect("text");
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!((words[0], words[2], words[3], words[4]), ("10.30.1.1", VM, "22", "3000000"), "{said}");
    freerdp(&stage);
}

/// FreeRDP negotiates with xrdp through a local port, at a display that nobody sees, up to the logon.
fn freerdp(stage: &Stage) {
    let tools = ["xrdp", "xfreerdp", "xvfb-run", "xauth"];
    if let Some(tool) = tools.into_iter().find(|tool| !is_installed(tool)) {
        println!("skipped in part: {tool} is missing (install xrdp, freerdp2-x11, xvfb and xauth)");
        return;
    }
    wait_for(stage, 3389);
    let local = Local::start(stage, None, 3389, &[]);
    let mut rdp = stage.command("host", "xvfb-run").expect("the namespace is there");
    rdp.args(["--auto-servernum", "xfreerdp"])
        .arg(format!("/v:{}", local.address))
        .args(["/u:nobody", "/p:nothing", "/cert:ignore", "/sec:tls", "+auth-only", "/log-level:DEBUG"])
        .env("HOME", stage.folder())
        .stdin(Stdio::null());
    let output = rdp.output().expect("it runs");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    println!("{said}");
    assert!(said.contains("CONNECTION_STATE_ACTIVE") || output.status.success(), "{}: {said}", output.status);
}
