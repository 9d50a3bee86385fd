//! An etcd of its own for a test: on loopback, with free ports and a folder that is gone afterwards.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use palisade_store::Etcd;
use palisade_store::url::{EtcdTls, EtcdUrl};

/// Debian's etcd-server.
const PROGRAM: &str = "/usr/bin/etcd";
/// Far longer than it takes to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether something has happened.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// A cluster of one member. It ends with the thread that started it, however that ends.
#[derive(Debug)]
pub(crate) struct EtcdServer {
    child: Child,
    folder: tempfile::TempDir,
    ports: [u16; 2],
    arguments: Vec<String>,
    tls: Option<EtcdTls>,
}

impl EtcdServer {
    /// Starts it, or prints why not.
    pub(crate) async fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_with(arguments, None).await
    }

    /// Starts it with TLS: clients are shown to it and to us by the files.
    pub(crate) async fn start_with(arguments: &[&str], tls: Option<EtcdTls>) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: {PROGRAM} is not installed (apt-get install etcd-server)");
            return None;
        }
        let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
        // Somebody else may take a free port before etcd does.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let ports = free_ports();
            let child = spawn(folder.path(), ports, &arguments, tls.is_some());
            let mut server = Self { child, folder, ports, arguments: arguments.clone(), tls: tls.clone() };
            if server.answers().await {
                return Some(server);
            }
        }
        panic!("etcd does not start");
    }

    /// Waits until it answers; false if it ends instead.
    async fn answers(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < START_TIMEOUT {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if Etcd::open(&self.url("probe")).await.is_ok() {
                return true;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("etcd gives no answer: {}", std::fs::read_to_string(self.folder.path().join("log")).unwrap());
    }

    /// Where it is.
    pub(crate) fn url(&self, prefix: &str) -> EtcdUrl {
        let endpoints = vec![format!("127.0.0.1:{}", self.ports[0])];
        EtcdUrl { endpoints, prefix: prefix.to_owned(), tls: self.tls.clone() }
    }

    /// A store in it.
    pub(crate) async fn open(&self, prefix: &str) -> Etcd {
        Etcd::open(&self.url(prefix)).await.unwrap()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Stops it, and waits until each of its threads stands still: until then one of them may still answer.
    pub(crate) async fn stop(&self) {
        self.signal("STOP");
        let began = Instant::now();
        while !self.stands_still() {
            assert!(began.elapsed() < START_TIMEOUT, "etcd does not stop");
            tokio::time::sleep(POLL).await;
        }
    }

    fn stands_still(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat"))).all(|stat| {
            // The state follows the name, which stands in parentheses.
            stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
        })
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with what it had.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), self.ports, &self.arguments, self.tls.is_some());
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        // It may have ended already; a stopped process is killed too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_ports() -> [u16; 2] {
    // Both are held until both are known.
    let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn spawn(folder: &Path, [client, peer]: [u16; 2], arguments: &[String], tls: bool) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let scheme = if tls { "https" } else { "http" };
    let clients = format!("{scheme}://127.0.0.1:{client}");
    let peers = format!("http://127.0.0.1:{peer}");
    let data: PathBuf = folder.join("data");
    // The kernel kills it with us.
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", PROGRAM, "--name", "one", "--data-dir"])
        .arg(data)
        .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("one={peers}")])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
