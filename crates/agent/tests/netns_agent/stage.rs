//! A host with one virtual machine, made of two network namespaces and a veth pair, and an agent to run there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use palisade_agent::state::State;
use palisade_agent::status::{Status, status};
use palisade_agent::{Instance, remove};

/// The host's address: outside the estate's network, so that no default rule lets it in.
pub const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// The machine's address.
pub const VM: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4));

const PIN_ROOT: &str = "/sys/fs/bpf/palisade";
const PREFIX: &str = "agent-test-";

/// The host. The thread that makes it is inside from then on.
pub struct Stage {
    dir: tempfile::TempDir,
    instance: Instance,
    machine: OwnedFd,
}

impl Stage {
    /// Moves the calling thread into a new host.
    pub fn new() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        sweep_away_the_dead();
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let instance =
            Instance { pin_dir: Path::new(PIN_ROOT).join(name), state_dir: dir.path().join("state") };
        fs::create_dir(dir.path().join("estate")).map_err(|error| error.to_string())?;
        let machine =
            new_namespace().map_err(|error| format!("no network namespace can be made: {error}"))?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
        let stage = Self { dir, instance, machine };
        stage.ip("link set lo up");
        Ok(stage)
    }

    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    pub fn estate_file(&self) -> PathBuf {
        self.dir.path().join("estate/estate.json")
    }

    /// Replaces the estate, as editors do, by one that lets `port` in.
    pub fn write_estate(&self, port: u16) {
        self.write_text(&include_str!("estate.json").replace("PORT", &port.to_string()));
    }

    /// Replaces the estate by this one.
    pub fn write_text(&self, text: &str) {
        let beside = self.dir.path().join("estate/.estate.json.swp");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.estate_file()).unwrap();
    }

    /// Runs `ip` in the host.
    pub fn ip(&self, arguments: &str) {
        run("ip", arguments.split(' '));
    }

    /// Runs `ip` in the host, where not every kernel can do what is asked; its answer if it cannot.
    pub fn try_ip(&self, arguments: &str) -> Result<(), String> {
        try_run("ip", arguments.split(' '))
    }

    /// Runs `ip` in the machine.
    pub fn machine_ip(&self, arguments: &str) {
        self.in_machine(|| run("ip", arguments.split(' ')));
    }

    fn in_machine<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.machine, work)
    }

    /// Connects the machine. Its interface is down, and known by its alias.
    pub fn add_machine(&self) {
        let namespace = format!("/proc/{}/fd/{}", std::process::id(), self.machine.as_raw_fd());
        self.ip(&format!("link add vm0 type veth peer name eth0 netns {namespace}"));
        self.ip("link set vm0 alias web1-nic");
    }

    /// Brings the machine's interface up, with addresses on both sides.
    pub fn raise_machine(&self) {
        self.ip("link set vm0 up");
        self.ip(&format!("addr add {HOST}/32 dev vm0"));
        self.ip(&format!("route add {VM}/32 dev vm0"));
        self.machine_ip(&format!("addr add {VM}/24 dev eth0"));
        self.machine_ip("link set eth0 up");
        self.machine_ip("route add default dev eth0");
    }

    pub fn remove_machine(&self) {
        self.ip("link del vm0");
    }

    /// A socket of the host on a new port.
    pub fn host_socket(&self) -> UdpSocket {
        UdpSocket::bind(SocketAddr::new(HOST, 0)).unwrap()
    }

    /// Lets the machine send back every datagram that reaches these ports.
    pub fn serve(&self, ports: &[u16]) -> Server {
        self.serve_at(&ports.iter().map(|port| SocketAddr::new(VM, *port)).collect::<Vec<_>>())
    }

    /// The same at any addresses of the machine.
    pub fn serve_at(&self, places: &[SocketAddr]) -> Server {
        let is_over = Arc::new(AtomicBool::new(false));
        let bind = |place: &SocketAddr| UdpSocket::bind(place).unwrap();
        let sockets: Vec<UdpSocket> = self.in_machine(|| places.iter().map(bind).collect());
        let echo = |socket: UdpSocket| {
            let is_over = Arc::clone(&is_over);
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            std::thread::spawn(move || {
                let mut bytes = [0; 64];
                while !is_over.load(Ordering::Relaxed) {
                    if let Ok((length, from)) = socket.recv_from(&mut bytes) {
                        let _lost = socket.send_to(&bytes[..length], from);
                    }
                }
            })
        };
        let threads = sockets.into_iter().map(echo).collect();
        Server { is_over, threads }
    }

    /// Lets the machine send back what comes on connections to this port.
    pub fn serve_tcp(&self, port: u16) -> Server {
        let is_over = Arc::new(AtomicBool::new(false));
        let listener = self.in_machine(|| TcpListener::bind(SocketAddr::new(VM, port)).unwrap());
        listener.set_nonblocking(true).unwrap();
        let stops = Arc::clone(&is_over);
        let accept = move || {
            let mut connections: Vec<TcpStream> = Vec::new();
            while !stops.load(Ordering::Relaxed) {
                if let Ok((connection, _)) = listener.accept() {
                    connection.set_nonblocking(true).unwrap();
                    connections.push(connection);
                }
                connections.retain_mut(|connection| {
                    let mut bytes = [0; 64];
                    match connection.read(&mut bytes) {
                        Ok(0) => false,
                        Ok(length) => connection.write_all(&bytes[..length]).is_ok(),
                        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
                    }
                });
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        Server { is_over, threads: vec![std::thread::spawn(accept)] }
    }

    /// Starts an agent of the estate's files in the host.
    pub fn start_agent(&self) -> AgentProcess {
        self.start_agent_with(&[self.dir.path().join("estate")], None)
    }

    /// The same with programs of this path only.
    pub fn start_agent_on_path(&self, path: &str) -> AgentProcess {
        self.start_agent_with(&[self.dir.path().join("estate")], Some(path))
    }

    /// Starts an agent of a server in the host.
    pub fn start_agent_of(&self, server: &str, token: &str) -> AgentProcess {
        let data = self.dir.path().join("data");
        self.start_agent_with(&["--server".into(), server.into(), token.into(), data], None)
    }

    fn start_agent_with(&self, arguments: &[PathBuf], path: Option<&str>) -> AgentProcess {
        let program = std::env::current_exe().unwrap();
        let program = program.ancestors().nth(2).unwrap().join("examples/enforce");
        let log = self.dir.path().join("agent.log");
        let child = Command::new(&program)
            .args([&self.instance.pin_dir, &self.instance.state_dir])
            .args(arguments)
            .envs(path.map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{} does not start ({error}): build it with the tests", program.display())
            });
        AgentProcess { child, log }
    }

    pub fn status(&self) -> Status {
        status(&self.instance).unwrap()
    }

    pub fn state(&self) -> Option<State> {
        State::read(&self.instance).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.instance) {
            eprintln!("the test's instance cannot be removed: {error}");
        }
    }
}

/// Machines' answers, until dropped.
pub struct Server {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

/// An agent in a process of its own; killed when dropped.
pub struct AgentProcess {
    child: Child,
    log: PathBuf,
}

impl AgentProcess {
    /// Bytes of memory that are its own and in use.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().unwrap()
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the agent said:\n{}", self.log());
        }
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}

/// Works in another namespace.
pub fn inside<T: Send>(namespace: &OwnedFd, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        inside.join().unwrap()
    })
}

pub fn run<'a>(program: &str, arguments: impl Iterator<Item = &'a str>) {
    try_run(program, arguments).unwrap();
}

pub fn try_run<'a>(program: &str, arguments: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(error)
}

/// A namespace that lasts as long as what is returned.
pub fn new_namespace() -> io::Result<OwnedFd> {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
    };
    std::thread::spawn(make).join().expect("the thread does not panic")
}

/// Removes the pins of test processes that are gone: a pinned program holds memory, though its interfaces are gone too.
fn sweep_away_the_dead() {
    for entry in fs::read_dir(PIN_ROOT).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _gone = fs::remove_dir_all(entry.path());
        }
    }
}
