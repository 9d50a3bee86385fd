//! Fetching documents of issuers elsewhere, over HTTPS, trusting what this machine trusts.

use async_trait::async_trait;
use axum::http::Method;
use palisade_client::Transport;
use serde_json::Value;

use super::outside::KeySource;

/// Fetches in threads of their own: the client waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fetcher;

#[async_trait]
impl KeySource for Fetcher {
    async fn document(&self, url: &str) -> Result<Value, String> {
        let url = url.to_owned();
        let fetched = tokio::task::spawn_blocking(move || fetch(&url)).await;
        fetched.map_err(|_| "the fetch was given up".to_owned())?
    }
}

fn fetch(url: &str) -> Result<Value, String> {
    let rest = url.strip_prefix("https://").ok_or_else(|| format!("{url} does not begin with https://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    let transport = Transport::new(&format!("https://{host}"), None).map_err(|error| error.to_string())?;
    let answer = transport
        .exchange(&Method::GET, &rest[host.len()..], &[], None)
        .map_err(|error| error.to_string())?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(format!("{url} answers with status {status}")),
    }
}
