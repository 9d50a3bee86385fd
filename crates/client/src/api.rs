//! Palisade's own API: hosts, join tokens, principals, previews, the audit log, the state of the server.
//!
//! What ARM has no words for is under `/api/v1`, described by the server itself at `/api/openapi.json`. Bodies are handed
//! through as JSON.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::{client::Client, error::ClientError, transport::escape};

/// Where the API lives.
const ROOT: &str = "/api/v1";

impl Client {
    /// What the server says of itself: version, revision, how many hosts have it in force.
    pub fn status(&self) -> Result<Value, ClientError> {
        self.own(&Method::GET, "/status", None)
    }

    /// All hosts, with what each has in force.
    pub fn hosts(&self) -> Result<Vec<Value>, ClientError> {
        self.pages(format!("{ROOT}/hosts"))
    }

    /// One host.
    pub fn host(&self, name: &str) -> Result<Value, ClientError> {
        self.own(&Method::GET, &format!("/hosts/{}", escape(name)), None)
    }

    /// Refuses a host's certificate from now on.
    pub fn revoke_host(&self, name: &str) -> Result<Value, ClientError> {
        self.own(&Method::POST, &format!("/hosts/{}/revoke", escape(name)), None)
    }

    /// Forgets a host.
    pub fn remove_host(&self, name: &str) -> Result<(), ClientError> {
        self.own(&Method::DELETE, &format!("/hosts/{}", escape(name)), None).map(drop)
    }

    /// The join tokens that are still good.
    pub fn join_tokens(&self) -> Result<Vec<Value>, ClientError> {
        self.pages(format!("{ROOT}/joinTokens"))
    }

    /// Makes a token with which one host can join, once.
    pub fn create_join_token(
        &self,
        host: Option<&str>,
        lifetime_seconds: Option<u64>,
    ) -> Result<Value, ClientError> {
        let body =
            object([("host", host.map(Into::into)), ("lifetimeSeconds", lifetime_seconds.map(Into::into))]);
        self.own(&Method::POST, "/joinTokens", Some(&body))
    }

    /// Takes a join token back.
    pub fn delete_join_token(&self, id: &str) -> Result<(), ClientError> {
        self.own(&Method::DELETE, &format!("/joinTokens/{}", escape(id)), None).map(drop)
    }

    /// All principals.
    pub fn principals(&self) -> Result<Vec<Value>, ClientError> {
        self.pages(format!("{ROOT}/principals"))
    }

    /// Makes a principal; a secret or password that the server makes is in the answer and nowhere else.
    pub fn create_principal(
        &self,
        kind: &str,
        name: &str,
        password: Option<&str>,
    ) -> Result<Value, ClientError> {
        let body = object([
            ("kind", Some(kind.into())),
            ("name", Some(name.into())),
            ("password", password.map(Into::into)),
        ]);
        self.own(&Method::POST, "/principals", Some(&body))
    }

    /// Deletes a principal and its role assignments.
    pub fn delete_principal(&self, id: &str) -> Result<(), ClientError> {
        self.own(&Method::DELETE, &format!("/principals/{}", escape(id)), None).map(drop)
    }

    /// Makes another secret for a service principal.
    pub fn create_secret(
        &self,
        principal: &str,
        description: Option<&str>,
        lifetime_days: Option<u64>,
    ) -> Result<Value, ClientError> {
        let body = object([
            ("description", description.map(Into::into)),
            ("lifetimeDays", lifetime_days.map(Into::into)),
        ]);
        self.own(&Method::POST, &format!("/principals/{}/secrets", escape(principal)), Some(&body))
    }

    /// Takes a secret back.
    pub fn delete_secret(&self, principal: &str, id: &str) -> Result<(), ClientError> {
        let path = format!("/principals/{}/secrets/{}", escape(principal), escape(id));
        self.own(&Method::DELETE, &path, None).map(drop)
    }

    /// What putting some resources would do: the intents that it breaks, and what judges before and after.
    pub fn preview(&self, resources: &[Value]) -> Result<Value, ClientError> {
        self.own(&Method::POST, "/preview", Some(&json!({ "resources": resources })))
    }

    /// Alerts, those seen last first, of those that the parameters name.
    pub fn alerts(&self, parameters: &[(&str, &str)]) -> Result<Vec<Value>, ClientError> {
        self.pages(format!("{ROOT}/alerts{}", query(parameters)))
    }

    /// One alert.
    pub fn alert(&self, id: &str) -> Result<Value, ClientError> {
        self.own(&Method::GET, &format!("/alerts/{}", escape(id)), None)
    }

    /// Says that somebody has looked at an alert.
    pub fn acknowledge_alert(&self, id: &str, note: Option<&str>) -> Result<Value, ClientError> {
        let body = object([("note", note.map(Into::into))]);
        self.own(&Method::POST, &format!("/alerts/{}/acknowledge", escape(id)), Some(&body))
    }

    /// What happened to a machine, in order, in the span that the parameters name.
    pub fn timeline(&self, parameters: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.own(&Method::GET, &format!("/timeline{}", query(parameters)), None)
    }

    /// One page of the audit log: the entries after a number, in order, and the head of the chain.
    pub fn audit(&self, after: u64, limit: u64) -> Result<Value, ClientError> {
        self.own(&Method::GET, &format!("/audit?after={after}&limit={limit}"), None)
    }

    fn own(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let none = json!({});
        let body = body.or((*method == Method::POST).then_some(&none));
        Ok(self.call(method, &format!("{ROOT}{path}"), &[], body)?.body)
    }
}

/// Parameters behind a path.
fn query(parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", escape(value)));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { query } else { format!("?{query}") }
}

/// An object of those members that have a value.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
