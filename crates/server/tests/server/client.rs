//! A server of a test, and a client that trusts its authority and no other.

use std::{sync::Arc, time::Duration};

use palisade_server::{Running, Server, ServerOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::{
    Agent,
    http::{HeaderMap, Method, Request, StatusCode},
    tls::{Certificate, RootCerts, TlsConfig},
};

/// How long a test waits for an answer before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and its first principal.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) subscription: String,
    _folder: TempDir,
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = ServerOptions::new(folder.path().to_owned(), "127.0.0.1:0".parse().unwrap());
        change(&mut options);
        let running = Server::start(options).await.unwrap();
        let client = Client::of(&running).await;
        let subscription = running.app().site.subscription.clone();
        Self { running, client, subscription, _folder: folder }
    }

    /// The id of something in the subscription.
    pub(crate) fn id(&self, rest: &str) -> String {
        format!("/subscriptions/{}{rest}", self.subscription)
    }

    /// The id of something in group `lab`.
    pub(crate) fn in_group(&self, rest: &str) -> String {
        self.id(&format!("/resourceGroups/lab/providers/Microsoft.Network/{rest}"))
    }

    /// Makes group `lab`.
    pub(crate) async fn make_group(&self) {
        let made =
            self.client.put(&self.id("/resourceGroups/lab"), json!({ "location": "westeurope" })).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
}

impl Client {
    /// The first principal of a server, or nobody if it has none.
    pub(crate) async fn of(running: &Running) -> Self {
        let pem = std::fs::read(running.folder().authority_file()).unwrap();
        let roots = [Certificate::from_pem(&pem).unwrap()];
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots.to_vec()))).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let mut client = Self { agent, endpoint: running.endpoint().to_owned(), token: None };
        if let Some(own) = running.bootstrap() {
            let form = format!(
                "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
                own.client_id, own.client_secret
            );
            let path = format!("/adfs/{}/oauth2/v2.0/token", own.tenant_id);
            let kind = [("content-type", "application/x-www-form-urlencoded")];
            let answer = client.send("POST", &path, &kind, form.into_bytes()).await;
            client.token = Some(answer.body["access_token"].as_str().unwrap().to_owned());
        }
        client
    }

    /// The same client at another server.
    pub(crate) fn at(&self, running: &Running) -> Self {
        Self { endpoint: running.endpoint().to_owned(), ..self.clone() }
    }

    /// The same without a token.
    pub(crate) fn stranger(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A connection with TLS, for what no client library would send.
    pub(crate) async fn raw(
        &self,
        running: &Running,
    ) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        let pem = std::fs::read(running.folder().authority_file()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(running.address()).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// Sends a request as it is.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let url =
            if path.starts_with("https://") { path.to_owned() } else { format!("{}{path}", self.endpoint) };
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let agent = self.agent.clone();
        tokio::task::spawn_blocking(move || answer(&agent, request)).await.unwrap()
    }

    /// Sends JSON with a version in the query.
    pub(crate) async fn json(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = if path.contains("api-version=") {
            path.to_owned()
        } else {
            format!("{path}{joint}api-version=2025-05-01")
        };
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        self.send(method, &path, &[("content-type", "application/json")], bytes).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.json("GET", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.json("PUT", path, Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.json("POST", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.json("DELETE", path, None).await
    }
}

fn answer(agent: &Agent, request: Request<Vec<u8>>) -> Answer {
    // Without this ureq refuses bodies of methods that seldom have one.
    let mut response =
        agent.run(agent.configure_request(request).allow_non_standard_methods(true).build()).unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    }
}

impl Answer {
    /// Fails unless the answer has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", StatusCode::from_u16(self.status).unwrap(), self.text);
        self
    }

    /// Fails unless the answer is this refusal, in Azure's envelope.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert!(self.body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()));
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Ids of a list.
    pub(crate) fn names(&self) -> Vec<&str> {
        let value = self.body["value"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text));
        value.iter().filter_map(|item| item["name"].as_str()).collect()
    }
}
