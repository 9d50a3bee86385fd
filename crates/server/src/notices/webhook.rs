//! Webhooks: a POST of one object for each alert, signed.

use std::time::{SystemTime, UNIX_EPOCH};

use palisade_client::Post;
use serde_json::json;

use super::{Notice, Trouble, Way, signature::sign};

/// A webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) post: Post,
    pub(super) secret: Vec<u8>,
}

impl Way for Webhook {
    fn tell(&mut self, notice: &Notice) -> Result<(), Trouble> {
        let body = json!({ "type": "alert", "alert": notice.alert }).to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let signature = sign(&self.secret, now.as_secs(), body.as_bytes());
        // The same for every attempt, so that a receiver may know what it has.
        let delivery = format!("{}-{}", notice.id, notice.at_ms);
        let headers = [
            ("palisade-event", "alert"),
            ("palisade-delivery", delivery.as_str()),
            ("palisade-signature", signature.as_str()),
        ];
        answered(self.post.send(&headers, body.as_bytes()))
    }
}

/// What an answer means.
pub(super) fn answered(answer: Result<u16, palisade_client::ClientError>) -> Result<(), Trouble> {
    match answer {
        Ok(200..300) => Ok(()),
        Ok(status @ (408 | 425 | 429 | 500..)) => {
            Err(Trouble::Now(format!("it answers with status {status}")))
        }
        Ok(status) => Err(Trouble::Always(format!("it refuses with status {status}"))),
        Err(error) => Err(Trouble::Now(error.to_string())),
    }
}
