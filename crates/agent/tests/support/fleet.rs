//! A server of hosts that is only memory, for tests: it speaks the protocol over real TLS, and does what a test tells it to.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use palisade_sync::enrollment_server::{Enrollment, EnrollmentServer};
use palisade_sync::fleet_server::{Fleet as FleetService, FleetServer};
use palisade_sync::from_agent::Message as Said;
use palisade_sync::from_server::Message as Say;
use palisade_sync::trust::Authority;
use palisade_sync::{
    Certificate, Documents, Entry, FlowBatch, FlowsKept, FromAgent, FromServer, Hello, InSync, Inventory,
    JoinRequest, JoinToken, RenewRequest, Report, Reset, TunnelDown, TunnelUp,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What all ids of [`estate`] begin with.
pub const NETWORK: &str = "/subscriptions/0/resourcegroups/g/providers/microsoft.network";

/// The documents of NICs in a subnet whose NSG lets in `port`.
pub fn estate(nics: &[&str], port: &str) -> Vec<(String, String)> {
    let resource = |kind: &str, name: &str, properties: &str| {
        let id = format!("{NETWORK}/{kind}/{name}");
        let body = format!(
            r#"{{"id":"{id}","name":"{name}","type":"Microsoft.Network/{kind}","properties":{properties}}}"#
        );
        (id, body)
    };
    let rule = format!(
        r#"{{"securityRules":[{{"name":"allow","properties":{{"priority":100,"direction":"Inbound","access":"Allow",
             "protocol":"*","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*",
             "destinationPortRange":"{port}"}}}}]}}"#
    );
    let network = format!(
        r#"{{"addressSpace":{{"addressPrefixes":["10.0.0.0/16"]}},"subnets":[{{"name":"web","properties":{{
             "addressPrefix":"10.0.0.0/24",
             "networkSecurityGroup":{{"id":"{NETWORK}/networksecuritygroups/web-nsg"}}}}}}]}}"#
    );
    let mut all = vec![
        resource("networksecuritygroups", "web-nsg", &rule),
        resource("virtualnetworks", "net", &network),
    ];
    all.extend(nics.iter().zip(4..).map(|(name, last)| {
        let nic = format!(
            r#"{{"ipConfigurations":[{{"name":"one","properties":{{"privateIPAddress":"10.0.0.{last}",
                 "privateIPAllocationMethod":"Static",
                 "subnet":{{"id":"{NETWORK}/virtualnetworks/net/subnets/web"}}}}}}]}}"#
        );
        resource("networkinterfaces", name, &nic)
    }));
    all
}

/// What a server knows and does; tests change it as they like.
pub struct Mind {
    pub documents: Documents,
    pub revision: u64,
    /// The state of this revision is known, and hosts that have it are sent what changed since.
    pub resumable: Option<(u64, Documents)>,
    /// Count a hash that is not that of what is sent.
    pub lies: bool,
    /// Refuse streams with this sentence.
    pub refusal: Option<String>,
    /// How long certificates live.
    pub life: Duration,
    pub tokens: HashSet<String>,
    pub joins: u32,
    pub renewals: u32,
    pub hellos: Vec<Hello>,
    pub inventories: Vec<Inventory>,
    pub reports: Vec<(Report, Instant)>,
    pub sent: Instant,
    /// Batches of flow records that may be under way; with 0, none are taken.
    pub window: u32,
    /// Say that batches are durable.
    pub keeps: bool,
    pub flows: Vec<FlowBatch>,
}

impl Mind {
    /// Takes in what a host says; what there is to say at once. `at` is what the host has.
    fn hear(&mut self, said: Said, at: &mut Option<(u64, Documents)>) -> Option<FromServer> {
        match said {
            Said::Hello(hello) => {
                let has = (hello.have_revision, hello.have_hash.clone());
                let known = self.resumable.clone();
                *at = known.filter(|(revision, documents)| (*revision, documents.hash().to_vec()) == has);
                let takes_flows = hello.tells_flows && self.window > 0;
                self.hellos.push(hello);
                return takes_flows.then(|| self.kept(Vec::new(), 0));
            }
            Said::Inventory(inventory) => self.inventories.push(inventory),
            Said::Report(report) => self.reports.push((report, Instant::now())),
            Said::Flows(batch) => {
                let kept = self.keeps.then(|| self.kept(batch.stream.clone(), batch.sequence));
                self.flows.push(batch);
                return kept;
            }
        }
        None
    }

    fn kept(&self, stream: Vec<u8>, sequence: u64) -> FromServer {
        let kept = FlowsKept { window: self.window, stream, sequence };
        FromServer { message: Some(Say::FlowsKept(kept)) }
    }
}

struct Shared {
    mind: Mutex<Mind>,
    changed: watch::Sender<()>,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The server.
pub struct Fleet {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Fleet {
    pub fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "fleet of a test");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mind = Mind {
            documents: Documents::default(),
            revision: 0,
            resumable: None,
            lies: false,
            refusal: None,
            life: Duration::from_secs(3600),
            tokens: HashSet::new(),
            joins: 0,
            renewals: 0,
            hellos: Vec::new(),
            inventories: Vec::new(),
            reports: Vec::new(),
            sent: Instant::now(),
            window: 0,
            keeps: false,
            flows: Vec::new(),
        };
        let shared = Shared { mind: mind.into(), changed: watch::Sender::new(()), issuer };
        let mut fleet = Self { shared: shared.into(), address: ([127, 0, 0, 1], 0).into(), runtime: None };
        fleet.resume();
        fleet
    }

    /// Serves again, at the same place.
    pub fn resume(&mut self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener =
            wait_for("the port to be free", || runtime.block_on(TcpListener::bind(self.address)).ok());
        self.address = listener.local_addr().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let own = params.signed_by(&key, &self.shared.issuer).unwrap();
        let authority = self.shared.issuer.pem();
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(own.pem() + &authority, key.serialize_pem()))
            .client_ca_root(tonic::transport::Certificate::from_pem(&authority))
            .client_auth_optional(true);
        let (enrollment, fleet) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let serve = async move {
            let mut server = Server::builder().tls_config(tls).unwrap();
            let server = server.add_service(EnrollmentServer::new(Service(enrollment)));
            let server = server.add_service(FleetServer::new(Service(fleet)));
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        };
        runtime.spawn(serve);
        self.runtime = Some(runtime);
    }

    /// Is gone at once, with all connections.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn authority(&self) -> Authority {
        Authority::from_pem(&self.shared.issuer.pem()).unwrap()
    }

    /// A token that works once.
    pub fn token(&self) -> JoinToken {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).unwrap();
        let token = JoinToken::new(self.authority().fingerprint(), secret);
        self.mind().tokens.insert(token.to_string());
        token
    }

    pub fn mind(&self) -> MutexGuard<'_, Mind> {
        self.shared.mind.lock().unwrap()
    }

    /// Has these documents from now on, under the next revision.
    pub fn give<K: AsRef<str>>(&self, documents: &[(K, String)]) -> u64 {
        let mut set = Documents::default();
        for (key, body) in documents {
            let key = key.as_ref();
            set.put(key.into(), Entry::new(key, body.clone().into())).unwrap();
        }
        let mut mind = self.mind();
        mind.documents = set;
        mind.revision += 1;
        mind.sent = Instant::now();
        self.shared.changed.send_replace(());
        mind.revision
    }

    /// Waits for a report like this.
    pub fn reported(&self, what: &str, is_it: impl Fn(&Report) -> bool) -> Report {
        wait_for(what, || {
            let mind = self.mind();
            let found = mind.reports.iter().rev().map(|(report, _)| report).find(|report| is_it(report));
            found.cloned()
        })
    }

    /// Waits until a revision is reported as in force, whole; how long after it was given that was.
    pub fn in_force(&self, revision: u64) -> Duration {
        self.reported("a revision to be in force", |report| report.applied_revision == revision);
        let mind = self.mind();
        let first = mind.reports.iter().find(|(report, _)| report.applied_revision == revision).unwrap();
        first.1.saturating_duration_since(mind.sent)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Service(Arc<Shared>);

impl Shared {
    /// A certificate for the key of a request.
    fn sign(&self, request: &str) -> Certificate {
        let mut request = CertificateSigningRequestParams::from_pem(request).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let begins = rcgen::date_time_ymd(1970, 1, 1) + now;
        request.params.not_before = begins;
        request.params.not_after = begins + self.mind.lock().unwrap().life;
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = request.signed_by(&self.issuer).unwrap().pem();
        Certificate { certificate, authority: self.issuer.pem() }
    }

    /// What leads a host from what it has to what is.
    fn state(&self, at: &mut Option<(u64, Documents)>) -> Vec<FromServer> {
        let mut mind = self.mind.lock().unwrap();
        let mut messages = Vec::new();
        if at.is_none() {
            messages.push(Say::Reset(Reset {}));
        }
        let before = at.take().map(|(_, documents)| documents).unwrap_or_default();
        messages.extend(mind.documents.changes_since(&before).into_iter().map(Say::Change));
        let mut hash = mind.documents.hash().to_vec();
        if std::mem::take(&mut mind.lies) {
            hash[0] ^= 1;
        }
        messages.push(Say::InSync(InSync { revision: mind.revision, hash }));
        *at = Some((mind.revision, mind.documents.clone()));
        messages.into_iter().map(|message| FromServer { message: Some(message) }).collect()
    }
}

#[tonic::async_trait]
impl Enrollment for Service {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<Certificate>, Status> {
        let JoinRequest { token, request, .. } = request.into_inner();
        if !self.0.mind.lock().unwrap().tokens.remove(&token) {
            return Err(Status::permission_denied("the join token is unknown or was used (make a new one)"));
        }
        self.0.mind.lock().unwrap().joins += 1;
        Ok(Response::new(self.0.sign(&request)))
    }
}

type Outgoing = Pin<Box<dyn tokio_stream::Stream<Item = Result<FromServer, Status>> + Send>>;

#[tonic::async_trait]
impl FleetService for Service {
    type SyncStream = Outgoing;

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Certificate>, Status> {
        is_host(&request)?;
        self.0.mind.lock().unwrap().renewals += 1;
        Ok(Response::new(self.0.sign(&request.into_inner().request)))
    }

    async fn sync(&self, request: Request<Streaming<FromAgent>>) -> Result<Response<Outgoing>, Status> {
        is_host(&request)?;
        if let Some(refusal) = self.0.mind.lock().unwrap().refusal.clone() {
            return Err(Status::permission_denied(refusal));
        }
        let mut incoming = request.into_inner();
        let (outgoing, queue) = mpsc::channel(16);
        let shared = Arc::clone(&self.0);
        let mut changed = shared.changed.subscribe();
        tokio::spawn(async move {
            let mut at = None;
            loop {
                tokio::select! {
                    said = incoming.message() => {
                        let Ok(Some(FromAgent { message: Some(said) })) = said else { return };
                        let is_hello = matches!(said, Said::Hello(_));
                        let answer = shared.mind.lock().unwrap().hear(said, &mut at);
                        if let Some(answer) = answer {
                            let _gone = outgoing.send(Ok(answer)).await;
                        }
                        if !is_hello {
                            continue;
                        }
                    }
                    _ = changed.changed() => {}
                }
                for message in shared.state(&mut at) {
                    if outgoing.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(queue))))
    }

    type TunnelStream = ReceiverStream<Result<TunnelDown, Status>>;

    async fn tunnel(
        &self,
        _request: Request<Streaming<TunnelUp>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        Err(Status::not_found("this server asks for no tunnels"))
    }
}

#[allow(clippy::result_large_err)]
fn is_host<T>(request: &Request<T>) -> Result<(), Status> {
    let shown = request.peer_certs().is_some_and(|certificates| !certificates.is_empty());
    shown.then_some(()).ok_or_else(|| Status::unauthenticated("show the host's certificate"))
}
