//! Fleets of tests: a control plane on a store in a temporary folder, its gRPC service, and hosts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use palisade_control::fleet::{self, HostName};
use palisade_control::{Action, Caller, Control, Options, Outcome, Precondition};
use palisade_model::ResourceId;
use palisade_store::{Sqlite, Store};
use palisade_sync::enrollment_client::EnrollmentClient;
use palisade_sync::fleet_client::FleetClient;
use palisade_sync::{
    Documents, FromAgent, FromServer, Hello, Inventory, JoinRequest, Report, from_agent, from_server,
};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};

use crate::fleet::{COMPARE_EVERY, FleetEvent, FleetOptions, FlowSink, serve};
use crate::tls::{Authority, ServerNames, fleet_config, install_provider};

/// How long anything may take before a test fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const GROUP: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g";

pub(super) fn host(name: &str) -> HostName {
    name.parse().expect("a name")
}

/// A store that several servers may share.
pub(super) struct Site {
    _folder: TempDir,
    pub(super) store: Arc<dyn Store>,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).expect("a store"));
        Self { _folder: folder, store }
    }
}

/// A server, and what its operator was told.
pub(super) struct Server {
    pub(super) control: Control,
    pub(super) authority: Arc<Authority>,
    pub(super) address: SocketAddr,
    events: mpsc::UnboundedReceiver<FleetEvent>,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(site: &Site) -> Self {
        Self::start_with(site, Options::default(), false).await
    }

    pub(super) async fn start_with(site: &Site, options: Options, is_shared: bool) -> Self {
        Self::start_for(site, options, is_shared, None).await
    }

    /// A server that gives flow records to a sink.
    pub(super) async fn start_with_flows(site: &Site, flows: Option<Arc<dyn FlowSink>>) -> Self {
        Self::start_for(site, Options::default(), false, flows).await
    }

    async fn start_for(
        site: &Site,
        options: Options,
        is_shared: bool,
        flows: Option<Arc<dyn FlowSink>>,
    ) -> Self {
        install_provider();
        let control = Control::open(Arc::clone(&site.store), options).await.expect("a world");
        let authority = Arc::new(Authority::open(&control, SystemTime::now()).await.expect("an authority"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let names = ServerNames::new(&[address], &[]);
        let credentials = authority.sign_server(&names, SystemTime::now()).expect("a certificate");
        let config = fleet_config(credentials, &authority).expect("a configuration");
        let (told, events) = mpsc::unbounded_channel();
        let options = FleetOptions {
            authority: Arc::clone(&authority),
            compare_every: COMPARE_EVERY,
            flows,
            desk: Arc::default(),
            shared: is_shared.then(|| Arc::clone(&site.store)),
            tell: Arc::new(move |event| drop(told.send(event))),
        };
        let (stop, stopped) = oneshot::channel();
        let service =
            serve(control.clone(), listener, watch::Sender::new(config).subscribe(), options, async {
                let _dropped = stopped.await;
            });
        let serving = tokio::spawn(async move { service.await.expect("it serves") });
        Self { control, authority, address, events, stop: Some(stop), serving }
    }

    /// Stops it as an operator would.
    pub(super) async fn stop(mut self) {
        drop(self.stop.take());
        timeout(PATIENCE, self.serving).await.expect("it stops").expect("no panic");
    }

    /// Waits for an event.
    pub(super) async fn event(&mut self, is_it: impl Fn(&FleetEvent) -> bool) -> FleetEvent {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the server lives");
                if is_it(&event) {
                    return event;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("the event is told")
    }

    pub(super) async fn token(&self, host: Option<&str>) -> String {
        let fingerprint = Sha256::digest(self.authority.der()).into();
        let expires = palisade_control::time::unix_seconds(SystemTime::now()) + 60;
        let host = host.map(|name| name.parse().expect("a name"));
        let caller = Caller::default();
        let made = fleet::create_join_token(&self.control, &caller, fingerprint, host, expires).await;
        made.expect("a token")
    }

    /// A channel to it; `identity` is a certificate and its key.
    pub(super) async fn channel(
        &self,
        identity: Option<&(String, String)>,
    ) -> Result<Channel, tonic::transport::Error> {
        let authority = Certificate::from_pem(self.authority.pem());
        let tls = ClientTlsConfig::new().ca_certificate(authority).domain_name("localhost");
        let tls = match identity {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        };
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address))?;
        endpoint.tls_config(tls)?.connect().await
    }

    /// Joins with a token.
    pub(super) async fn try_join(&self, token: &str, host: &str) -> Result<(String, String), Status> {
        let (request, key) = signing_request();
        let mut client = EnrollmentClient::new(self.channel(None).await.expect("a channel"));
        let request = JoinRequest { token: token.to_owned(), request, host: host.to_owned() };
        let answer = client.join(request).await?.into_inner();
        assert_eq!(answer.authority, self.authority.pem());
        Ok((answer.certificate, key))
    }

    /// Joins as a new host.
    pub(super) async fn join(&self, host: &str) -> (String, String) {
        self.try_join(&self.token(None).await, host).await.expect("it joins")
    }

    /// Puts a resource; its path begins behind `Microsoft.Network/`.
    pub(super) async fn put(&self, path: &str, body: Value) -> Outcome {
        let id = ResourceId::new(&format!("{GROUP}/providers/Microsoft.Network/{path}"));
        let action = Action::Put { id, body, precondition: Precondition::default() };
        self.control.act(&Caller::default(), action).await.expect("it is put")
    }

    /// A network with a subnet, and two NSGs.
    pub(super) async fn lay_out(&self) {
        let action = Action::Put {
            id: ResourceId::new(GROUP),
            body: json!({"location": "westeurope"}),
            precondition: Precondition::default(),
        };
        self.control.act(&Caller::default(), action).await.expect("a group");
        self.put(
            "virtualNetworks/v",
            json!({"location": "westeurope", "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
            }}),
        )
        .await;
        for nsg in ["one", "two"] {
            self.put(&format!("networkSecurityGroups/{nsg}"), json!({"location": "westeurope"})).await;
        }
    }

    /// A NIC on a host.
    pub(super) async fn nic(&self, name: &str, nsg: &str, host: &str) -> Outcome {
        let reference = |path: &str| json!({"id": format!("{GROUP}/providers/Microsoft.Network/{path}")});
        let subnet = reference("virtualNetworks/v/subnets/s");
        let body = json!({
            "location": "westeurope",
            "tags": {"palisade-host": host},
            "properties": {
                "networkSecurityGroup": reference(&format!("networkSecurityGroups/{nsg}")),
                "ipConfigurations": [{"name": "c", "properties": {"subnet": subnet}}],
            },
        });
        self.put(&format!("networkInterfaces/{name}"), body).await
    }

    /// Lays out, and lets host `a` join and follow it, with `nic-a` behind NSG `one`; what it says that it is, and the host.
    pub(super) async fn host_a(&self) -> ((String, String), Host) {
        self.lay_out().await;
        let identity = self.join("a").await;
        self.nic("nic-a", "one", "a").await;
        let host = Host::connect(self, &identity, <_>::default()).await.expect("a session");
        (identity, host)
    }

    /// A rule for this port.
    pub(super) async fn rule(&self, nsg: &str, port: u16) -> Outcome {
        let rule = json!({"properties": {
            "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100,
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": port.to_string(),
        }});
        self.put(&format!("networkSecurityGroups/{nsg}/securityRules/r"), rule).await
    }
}

/// A certificate signing request and its key.
pub(super) fn signing_request() -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let request = CertificateParams::default().serialize_request(&key).expect("a request");
    (request.pem().expect("PEM"), key.serialize_pem())
}

/// A host that does what the test says.
pub(super) struct Host {
    pub(super) outgoing: mpsc::Sender<FromAgent>,
    incoming: Streaming<FromServer>,
    was_in_sync: bool,
    pub(super) documents: Documents,
}

/// What a host was sent until it was in sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) revision: u64,
    pub(super) is_reset: bool,
    /// Keys of the documents.
    pub(super) keys: Vec<String>,
}

impl Host {
    /// Connects with what it has.
    pub(super) async fn connect(
        server: &Server,
        identity: &(String, String),
        documents: Documents,
    ) -> Result<Self, Status> {
        Self::connect_as(server, identity, documents, false).await
    }

    /// Connects with nothing but flow records.
    pub(super) async fn connect_telling(
        server: &Server,
        identity: &(String, String),
    ) -> Result<Self, Status> {
        Self::connect_as(server, identity, Documents::default(), true).await
    }

    async fn connect_as(
        server: &Server,
        identity: &(String, String),
        documents: Documents,
        tells_flows: bool,
    ) -> Result<Self, Status> {
        let channel = server.channel(Some(identity)).await;
        let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
        let (outgoing, stream) = mpsc::channel(16);
        let hash = if documents.is_empty() { Vec::new() } else { documents.hash().to_vec() };
        let inventory = Some(Inventory::default());
        let version = "test".to_owned();
        let hello = Hello { version, have_hash: hash, inventory, tells_flows, ..Hello::default() };
        let hello = FromAgent { message: Some(from_agent::Message::Hello(hello)) };
        outgoing.send(hello).await.expect("there is room");
        let mut client = FleetClient::new(channel);
        let incoming = client.sync(ReceiverStream::new(stream)).await?.into_inner();
        Ok(Self { outgoing, incoming, was_in_sync: false, documents })
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Result<Option<from_server::Message>, Status> {
        let next = timeout(PATIENCE, self.incoming.message()).await.expect("something is sent");
        Ok(next?.and_then(|next| next.message))
    }

    /// Takes what is sent until something has changed and it is in sync. The first time, nothing need change.
    ///
    /// A server that is woken by what it has sent already says once more that the host is in sync.
    pub(super) async fn sync(&mut self) -> Sent {
        let mut sent = Sent { revision: 0, is_reset: false, keys: Vec::new() };
        loop {
            match self.next().await.expect("the session lives").expect("a message") {
                from_server::Message::Reset(_) => {
                    self.documents = Documents::default();
                    sent.is_reset = true;
                }
                from_server::Message::Change(change) => {
                    let names = change.documents.iter().map(|document| &document.key).chain(&change.removed);
                    sent.keys.extend(names.cloned());
                    self.documents.apply(change).expect("within the limits");
                }
                from_server::Message::FlowsKept(_) | from_server::Message::TunnelWanted(_) => {}
                from_server::Message::InSync(now) => {
                    assert_eq!(self.documents.hash().to_vec(), now.hash, "both have the same");
                    sent.revision = now.revision;
                    if !self.was_in_sync || sent.is_reset || !sent.keys.is_empty() {
                        self.was_in_sync = true;
                        return sent;
                    }
                }
            }
        }
    }

    /// Says that a revision is in force.
    pub(super) async fn applied(&self, revision: u64) {
        let hash = self.documents.hash().to_vec();
        let report = Report {
            applied_revision: revision,
            applied_hash: hash,
            seen_revision: revision,
            ..Report::default()
        };
        self.report(report).await;
    }

    pub(super) async fn report(&self, report: Report) {
        assert!(self.say(from_agent::Message::Report(report)).await, "the session lives");
    }

    /// Says something; false if the session has ended.
    pub(super) async fn say(&self, message: from_agent::Message) -> bool {
        self.outgoing.send(FromAgent { message: Some(message) }).await.is_ok()
    }

    /// How the session ends.
    pub(super) async fn end(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok("it ended"),
                Err(status) => return status,
            }
        }
    }
}
