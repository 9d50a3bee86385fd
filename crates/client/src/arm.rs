//! Resources by their ids: read, written, listed, deleted, and asked.

use serde_json::Value;
use ureq::http::Method;

use crate::{
    client::Client,
    error::ClientError,
    operation::{Operation, Patience, Progress},
    transport::Answer,
};

/// The version of the API that calls name. The server takes any.
pub const API_VERSION: &str = "2025-05-01";
/// So many pages of a list are read before it is taken to be endless.
pub const PAGES_MAX: usize = 10_000;

/// On what a write depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precondition<'a> {
    /// On nothing.
    #[default]
    Always,
    /// The resource has this ETag.
    IfMatch(&'a str),
    /// There is no such resource yet.
    IfAbsent,
}

impl<'a> Precondition<'a> {
    fn header(self) -> Option<(&'static str, &'a str)> {
        match self {
            Self::Always => None,
            Self::IfMatch(etag) => Some(("if-match", etag)),
            Self::IfAbsent => Some(("if-none-match", "*")),
        }
    }
}

/// What a write has done so far.
#[derive(Debug)]
pub struct Written {
    /// The resource as the server answered it.
    pub resource: Value,
    /// Whether it is new.
    pub created: bool,
    /// What still goes on, if something does.
    pub operation: Option<Operation>,
    /// Intents that it breaks, and that only warn or were overridden.
    pub warnings: Vec<String>,
}

/// What a delete has done so far.
#[derive(Debug)]
pub struct Deleted {
    /// Whether there was something to delete.
    pub existed: bool,
    /// What still goes on, if something does.
    pub operation: Option<Operation>,
    /// Intents that it breaks, and that only warn or were overridden.
    pub warnings: Vec<String>,
}

impl Client {
    /// Reads a resource.
    pub fn get(&self, id: &str) -> Result<Value, ClientError> {
        Ok(self.call(&Method::GET, &versioned(id), &[], None)?.body)
    }

    /// Reads a resource, if it is there.
    pub fn find(&self, id: &str) -> Result<Option<Value>, ClientError> {
        match self.get(id) {
            Ok(resource) => Ok(Some(resource)),
            Err(error) if error.has_status(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a resource or replaces it.
    pub fn put(
        &self,
        id: &str,
        body: &Value,
        precondition: Precondition<'_>,
    ) -> Result<Written, ClientError> {
        self.write(&Method::PUT, id, body, precondition)
    }

    /// Changes a part of a resource: its tags.
    pub fn patch(
        &self,
        id: &str,
        body: &Value,
        precondition: Precondition<'_>,
    ) -> Result<Written, ClientError> {
        self.write(&Method::PATCH, id, body, precondition)
    }

    /// Has something done with a resource, and does not wait for the hosts: told is what the server answered.
    pub fn act(&self, path: &str, body: &Value) -> Result<Written, ClientError> {
        self.write(&Method::POST, path, body, Precondition::Always)
    }

    fn write(
        &self,
        method: &Method,
        id: &str,
        body: &Value,
        precondition: Precondition<'_>,
    ) -> Result<Written, ClientError> {
        let headers: Vec<_> = precondition.header().into_iter().collect();
        let answer = self.call(method, &versioned(id), &headers, Some(body))?;
        Ok(Written {
            created: answer.status == 201,
            operation: Operation::of(&answer),
            warnings: answer.warnings(),
            resource: answer.body,
        })
    }

    /// Deletes a resource.
    pub fn delete(&self, id: &str, precondition: Precondition<'_>) -> Result<Deleted, ClientError> {
        let headers: Vec<_> = precondition.header().into_iter().collect();
        let answer = self.call(&Method::DELETE, &versioned(id), &headers, None)?;
        Ok(Deleted {
            existed: answer.status != 204,
            operation: Operation::of(&answer),
            warnings: answer.warnings(),
        })
    }

    /// Reads a list, all of its pages.
    pub fn list(&self, path: &str) -> Result<Vec<Value>, ClientError> {
        self.pages(versioned(path))
    }

    /// Reads the pages of a list whose first one is here.
    pub(crate) fn pages(&self, first: String) -> Result<Vec<Value>, ClientError> {
        let mut all = Vec::new();
        let mut next = first;
        for _ in 0..PAGES_MAX {
            let mut answer = self.call(&Method::GET, &next, &[], None)?;
            let Value::Array(items) = answer.body["value"].take() else {
                return Err(ClientError::Nonsense { url: next, problem: "it is no list".to_owned() });
            };
            all.extend(items);
            match answer.body["nextLink"].as_str() {
                Some(link) if !link.is_empty() => next = link.to_owned(),
                _ => return Ok(all),
            }
        }
        Err(ClientError::Nonsense { url: next, problem: format!("the list has more than {PAGES_MAX} pages") })
    }

    /// Asks something of a resource, and waits for the answer.
    pub fn ask(
        &self,
        path: &str,
        body: &Value,
        patience: Patience,
        progress: impl FnMut(&Progress<'_>),
    ) -> Result<Value, ClientError> {
        let answer = self.call(&Method::POST, &versioned(path), &[], Some(body))?;
        match Operation::of(&answer) {
            Some(operation) => self.result(&operation, patience, progress),
            None => Ok(answer.body),
        }
    }

    /// What a finished operation has brought.
    fn result(
        &self,
        operation: &Operation,
        patience: Patience,
        progress: impl FnMut(&Progress<'_>),
    ) -> Result<Value, ClientError> {
        let last = self.wait(operation, patience, progress)?;
        match operation.result_url() {
            Some(url) => Ok(self.call(&Method::GET, url, &[], None)?.body),
            None => Ok(last),
        }
    }

    pub(crate) fn poll(&self, url: &str) -> Result<Answer, ClientError> {
        self.call(&Method::GET, url, &[], None)
    }
}

/// A path with the version of the API behind it.
fn versioned(path: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}api-version={API_VERSION}")
}
