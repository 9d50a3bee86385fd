//! Flow records of a real agent's connection, in the flow store of a real server: each once, whatever dies in between.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use palisade_abi::flow::{Direction, FlowState};
use palisade_abi::verdict::Layer;
use palisade_agent::events::{Kind, NameBook, Record};
use palisade_agent::records::{Outbox, Recorder, SPOOL_BYTES, Spool};
use palisade_agent::remote::{Link, ServerOptions as Follow, Standing, Vault};
use palisade_control::{Caller, fleet};
use palisade_flowstore::query::{Filter, Key, Measure, Question, Value, ask};
use palisade_flowstore::{Store, schema};
use palisade_net::packet::TcpFlags;
use palisade_server::{FlowsTo, Running, Server, ServerOptions};
use tempfile::TempDir;

/// The longest that records may be on their way: a commit waits five seconds for others.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A flow that began, from this port.
pub(crate) fn begun(port: u16) -> Record {
    Record {
        kind: Kind::Begin,
        time_ms: now_ms(),
        reason: Some("Allowed"),
        layer: Some(Layer::Subnet),
        cause: None,
        slot: 1,
        generation: 3,
        direction: Direction::Inbound,
        protocol: 6,
        query: None,
        local: ("10.0.0.4".parse().unwrap(), 443),
        remote: ("192.0.2.1".parse().unwrap(), port),
        state: Some(FlowState::SynSent),
        began_ms: Some(now_ms()),
        last_ms: None,
        rules: [None, Some(0), None],
        audited: false,
        midstream: false,
        packets: [1, 0],
        bytes: [60, 0],
        tcp_flags: Some([TcpFlags::SYN, TcpFlags::default()]),
    }
}

/// The folders of a server and of a host.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn store(&self) -> String {
        self.0.path().join("flows").to_str().unwrap().to_owned()
    }

    async fn serve(&self, agents: SocketAddr) -> Running {
        self.serve_with(agents, |options| options.flows = FlowsTo::Store(self.store())).await
    }

    pub(crate) async fn serve_with(
        &self,
        agents: SocketAddr,
        change: impl FnOnce(&mut ServerOptions),
    ) -> Running {
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut options = ServerOptions::new(self.0.path().join("server"), listen);
        options.agents_listen = Some(agents);
        change(&mut options);
        Server::start(options).await.unwrap()
    }

    /// How a new host follows a server.
    pub(crate) async fn follow(&self, server: &Running) -> Follow {
        let agents = server.agents_address().unwrap();
        let app = server.app();
        let expires = now_ms() / 1_000 + 600;
        let fingerprint = app.authority.fingerprint();
        let caller = Caller::default();
        let token = fleet::create_join_token(&app.control, &caller, fingerprint, None, expires).await;
        let token = token.unwrap().parse().unwrap();
        Follow {
            server: agents.to_string().parse().unwrap(),
            token: Some(token),
            authority: None,
            host: "host-a".to_owned(),
            data_dir: self.0.path().join("host"),
            service_tags: Vec::new(),
        }
    }

    /// A host's end, with the spool that it had.
    pub(crate) fn connect(&self, follow: &Follow) -> Host {
        let spool = Spool::open(&self.0.path().join("spool"), SPOOL_BYTES).unwrap();
        let outbox = Arc::new(Outbox::new(spool));
        let recorder = Recorder::start(Arc::clone(&outbox)).unwrap();
        let vault = Vault::open(&follow.data_dir).unwrap();
        let link = Link::start(follow.clone(), vault, outbox, Standing::default()).unwrap();
        Host { recorder, link }
    }

    pub(crate) async fn stored_until(&self, ports: u16) -> Vec<(u16, u64)> {
        let end = Instant::now() + PATIENCE;
        loop {
            let store = self.store();
            let stored = tokio::task::spawn_blocking(move || stored(&store)).await.unwrap();
            if stored.len() >= usize::from(ports) {
                return stored;
            }
            assert!(Instant::now() < end, "only {} of {ports} are stored", stored.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

pub(crate) struct Host {
    pub(crate) recorder: Recorder,
    pub(crate) link: Link,
}

/// How often each port is in the store.
fn stored(address: &str) -> Vec<(u16, u64)> {
    let store = Store::open(address).unwrap();
    let column = schema::COLUMNS.iter().find(|column| column.name == "remote_port").unwrap();
    let question = Question {
        filter: Filter::default(),
        by: vec![Key::Column(column)],
        measures: vec![Measure::Records],
        limit: usize::MAX,
    };
    let answer = ask(&store, &question, NonZero::<usize>::MIN).unwrap();
    let port = |value: &Value| value.to_string().parse().unwrap();
    let mut ports: Vec<_> = answer.groups.iter().map(|group| (port(&group.keys[0]), group.sums[0])).collect();
    ports.sort_unstable();
    ports
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_stored_once_whatever_dies() {
    let place = Place::new();
    let server = place.serve("127.0.0.1:0".parse().unwrap()).await;
    let agents = server.agents_address().unwrap();
    let follow = place.follow(&server).await;
    let book = NameBook::default();
    let mut host = place.connect(&follow);
    (1..=100).for_each(|port| host.recorder.add(&begun(port), &book));
    tokio::time::sleep(Duration::from_millis(600)).await;
    host.recorder.keep_time();
    place.stored_until(100).await;

    // The server is gone, and records go on; then the host's process is replaced.
    server.stop().await;
    (101..=200).for_each(|port| host.recorder.add(&begun(port), &book));
    tokio::task::spawn_blocking(move || drop((host.recorder, host.link))).await.unwrap();
    let mut host = place.connect(&follow);
    (201..=300).for_each(|port| host.recorder.add(&begun(port), &book));
    tokio::time::sleep(Duration::from_millis(600)).await;
    host.recorder.keep_time();
    let server = place.serve(agents).await;
    place.stored_until(300).await;
    tokio::task::spawn_blocking(move || drop((host.recorder, host.link))).await.unwrap();
    server.stop().await;

    let store = place.store();
    let stored = tokio::task::spawn_blocking(move || stored(&store)).await.unwrap();
    let expect: Vec<_> = (1..=300).map(|port| (port, 1)).collect();
    assert_eq!(stored, expect);
}
