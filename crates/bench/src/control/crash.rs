//! Processes that are killed while clients write: what was acknowledged must be there afterwards.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use palisade_client::Client;

use super::{
    Acknowledged, Run,
    estate::{self, Ids},
    server::{Server, free_ports},
};
use crate::{
    error::{Context, Error, Result},
    report::Case,
};

/// Clients that write.
const CLIENTS: usize = 16;
/// How long they write between two kills.
const BETWEEN: Duration = Duration::from_millis(700);
/// How long a client waits after a failure.
const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// The program of etcd.
const ETCD: &str = "etcd";

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let kills = run.choose(10, 2);
    (run.tell)("a server that is killed under writes");
    let mut cases = vec![server_killed(run, kills)?];
    if Command::new(ETCD).arg("--version").output().is_ok() {
        (run.tell)("an etcd member that is killed under writes");
        cases.push(etcd_killed(run, kills)?);
    }
    Ok(cases)
}

fn server_killed(run: &Run<'_>, kills: usize) -> Result<Case> {
    let folder = run.folder()?;
    let mut server = Server::new(&run.options.program, &folder.path().join("data"), &[])?;
    server.start()?;
    let (owner, ids) = begin(&server)?;
    let mut again = || {
        server.kill()?;
        server.start().map(drop)
    };
    let acknowledged = write_through(&owner, &ids, kills, &mut again)?;
    judge("crash/server killed", &owner, &ids, &acknowledged, kills)
}

fn etcd_killed(run: &Run<'_>, kills: usize) -> Result<Case> {
    let folder = run.folder()?;
    let [clients, peers] = free_ports()?;
    let mut etcd = Etcd::start(&folder.path().join("etcd"), clients, peers)?;
    let url = format!("etcd://{clients}");
    let mut server = Server::new(&run.options.program, &folder.path().join("data"), &["--store", &url])?;
    server.start()?;
    let (owner, ids) = begin(&server)?;
    let mut again = || {
        etcd.end();
        etcd = Etcd::start(&folder.path().join("etcd"), clients, peers)?;
        Ok(())
    };
    let acknowledged = write_through(&owner, &ids, kills, &mut again)?;
    judge("crash/etcd killed", &owner, &ids, &acknowledged, kills)
}

fn begin(server: &Server) -> Result<(Client, Ids)> {
    let owner = server.owner()?;
    let ids = estate::lay(&owner)?;
    estate::fill(&owner, CLIENTS, |client, nsg| {
        estate::put(client, &ids.nsg(nsg), &estate::nsg(0)).map(drop)
    })?;
    Ok((owner, ids))
}

/// Writes while something is killed so many times; what was acknowledged.
fn write_through(
    owner: &Client,
    ids: &Ids,
    kills: usize,
    kill: &mut dyn FnMut() -> Result<()>,
) -> Result<Acknowledged> {
    let is_over = AtomicBool::new(false);
    let acknowledged = Mutex::new(Acknowledged::new());
    thread::scope(|scope| {
        for nsg in 0..CLIENTS {
            let (acknowledged, is_over) = (&acknowledged, &is_over);
            scope.spawn(move || write(owner, ids, nsg, acknowledged, is_over));
        }
        let killed = (0..kills).try_for_each(|_| {
            thread::sleep(BETWEEN);
            kill()
        });
        thread::sleep(BETWEEN);
        is_over.store(true, Ordering::Relaxed);
        killed
    })?;
    Ok(acknowledged.into_inner().expect("no writer panics"))
}

/// Writes rule after rule of one NSG. A failure proves nothing, so only what was acknowledged is noted.
fn write(owner: &Client, ids: &Ids, nsg: usize, acknowledged: &Mutex<Acknowledged>, is_over: &AtomicBool) {
    let mut client = Client::of(owner.profile()).ok();
    for number in 0..900 {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("rule-{number}");
        let written =
            client.as_ref().map(|client| estate::put(client, &ids.rule(nsg, &name), &estate::rule(number)));
        match written {
            Some(Ok(_)) => {
                let mut all = acknowledged.lock().expect("no writer panics");
                all.entry(ids.nsg(nsg)).or_default().insert(name);
            }
            _ => {
                thread::sleep(AFTER_FAILURE);
                client = Client::of(owner.profile()).ok();
            }
        }
    }
}

/// Compares what is there with what was acknowledged.
fn judge(
    name: &'static str,
    owner: &Client,
    ids: &Ids,
    acknowledged: &Acknowledged,
    kills: usize,
) -> Result<Case> {
    let written: usize = acknowledged.values().map(BTreeSet::len).sum();
    let mut lost = 0;
    for nsg in 0..CLIENTS {
        let there: BTreeSet<String> = owner
            .list(&format!("{}/securityRules", ids.nsg(nsg)))?
            .iter()
            .filter_map(|rule| rule["name"].as_str().map(str::to_owned))
            .collect();
        lost += acknowledged.get(&ids.nsg(nsg)).map_or(0, |names| names.difference(&there).count());
    }
    Ok(Case::new(name, lost as f64, "writes lost")
        .with("writes acknowledged", written)
        .with("kills", kills)
        .goal("none", lost == 0 && written > 0))
}

/// A member of etcd, alone.
struct Etcd(Child);

impl Etcd {
    fn start(data: &Path, clients: SocketAddr, peers: SocketAddr) -> Result<Self> {
        let [clients_url, peers_url] = [clients, peers].map(|at| format!("http://{at}"));
        let child = Command::new(ETCD)
            .arg("--data-dir")
            .arg(data)
            .args(["--listen-client-urls", &clients_url, "--advertise-client-urls", &clients_url])
            .args(["--listen-peer-urls", &peers_url, "--initial-advertise-peer-urls", &peers_url])
            .args(["--initial-cluster", &format!("default={peers_url}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(|| "start etcd".into())?;
        let etcd = Self(child);
        let begun = Instant::now();
        while TcpStream::connect(clients).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(Error::Server { what: "has no etcd: it does not serve".to_owned() });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(etcd)
    }

    /// Kills it, which does nothing to one that has ended.
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.end();
    }
}
