//! Bodies: read whole within a length and a time, then as JSON within a depth.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::{BODY_LENGTH_MAX, BODY_READ_TIMEOUT};
use crate::error::ApiError;

/// Deepest nesting of JSON: templates nest deployments, and each of those a few levels more.
pub const JSON_DEPTH_MAX: usize = 100;

/// How much of a body that is too long is read and thrown away before it is refused: a client that is still writing does
/// not see an answer. One that sends more than this, or slowly, sees its connection end.
const DISCARDED_MAX: usize = 4 * BODY_LENGTH_MAX;

/// Reads a body to its end.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if announced > DISCARDED_MAX as u64 {
        return Err(too_large());
    }
    match timeout(BODY_READ_TIMEOUT, collect(body)).await {
        Ok(read) => read,
        Err(_elapsed) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeout",
            format!("The body did not arrive within {} seconds.", BODY_READ_TIMEOUT.as_secs()),
        )),
    }
}

async fn collect(body: Body) -> Result<Bytes, ApiError> {
    let mut read = Vec::new();
    let mut length = 0_usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            ApiError::bad("InvalidRequestContent", "The connection ended before the body did.")
        })?;
        length += chunk.len();
        if length > DISCARDED_MAX {
            break;
        }
        if length <= BODY_LENGTH_MAX {
            read.extend_from_slice(&chunk);
        }
    }
    if length > BODY_LENGTH_MAX { Err(too_large()) } else { Ok(read.into()) }
}

/// Reads a body of a request that is refused without it, and throws it away. A client over HTTP/2 that is still writing (curl 7.88, for
/// one) would see a broken stream in place of the answer.
pub async fn discard(body: Body) {
    let mut left = DISCARDED_MAX;
    let mut chunks = body.into_data_stream();
    let all = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Who is slower sees its connection end.
    let _elapsed = timeout(BODY_READ_TIMEOUT, all).await;
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        format!("The request content exceeds the maximum allowed size of {BODY_LENGTH_MAX} bytes."),
    )
}

/// A body as JSON; nothing if it is empty.
pub fn json(body: &[u8]) -> Result<Option<Value>, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if depth(body) > JSON_DEPTH_MAX {
        return Err(invalid(&format!("it is nested more than {JSON_DEPTH_MAX} levels deep")));
    }
    // Some clients of Windows begin with a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(value) => Ok(Some(value)),
        Err(error) => match spliced(body, &error) {
            Some(body) => template(&body).map(Some),
            None => Err(invalid(&error.to_string())),
        },
    }
}

/// What the Azure CLI stops being JSON with, to put the text of a template behind it as it is, comments and all.
const SPLICE: &[u8] = b"template:";

/// The body with that key quoted, if it is what the error is about.
fn spliced(body: &[u8], error: &serde_json::Error) -> Option<Vec<u8>> {
    let at = error.column().checked_sub(1).filter(|_| error.line() == 1)?;
    let rest = body.get(at..)?.strip_prefix(SPLICE)?;
    Some([&body[..at], b"\"template\":", rest].concat())
}

/// JSON with comments, as templates are written.
fn template(body: &[u8]) -> Result<Value, ApiError> {
    let document =
        palisade_arm::json::parse("the body", body).map_err(|error| invalid(&error.to_string()))?;
    Ok(Value::from(&document.root))
}

pub(crate) fn invalid(why: &str) -> ApiError {
    ApiError::bad(
        "InvalidRequestContent",
        format!("The request content was invalid and could not be deserialized: '{why}'."),
    )
}

/// How deep brackets nest outside of strings. What is no JSON is left to the parser.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_the_azure_cli_splices_in_is_read() {
        let body = br#"{"properties": {"mode": "Incremental", template:{ // why
            "resources": []}}}"#;
        let expect =
            serde_json::json!({ "properties": { "mode": "Incremental", "template": { "resources": [] } } });
        assert_eq!(json(body).unwrap(), Some(expect));
        assert!(json(br#"{"properties": {other:{}}}"#).is_err());
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_is_read_to_its_end_and_not_beyond_its_limit() {
        let chunk = 1_000_000;
        for (sent, read) in [(3, 3), (1_000, DISCARDED_MAX / chunk + 1)] {
            let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let counter = taken.clone();
            let chunks = (0..sent).map(move |_| {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok::<_, std::io::Error>(vec![b' '; chunk])
            });
            discard(Body::from_stream(tokio_stream::iter(chunks))).await;
            assert_eq!(taken.load(std::sync::atomic::Ordering::Relaxed), read, "{sent}");
        }
    }
}
