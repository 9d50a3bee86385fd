//! Forms: `application/x-www-form-urlencoded`, within limits, each name once.

use std::collections::HashMap;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, header},
};

use super::error::OAuthError;
use crate::{arm::decode, limits::BODY_READ_TIMEOUT};

/// Longest form, in bytes: an assertion and a little more.
const FORM_LENGTH_MAX: usize = 32_768;
/// Most fields.
const FIELDS_MAX: usize = 40;

/// The fields of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// Reads the body of a request.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, OAuthError> {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OAuthError::request("the body must be application/x-www-form-urlencoded"));
        }
        let bytes = tokio::time::timeout(BODY_READ_TIMEOUT, to_bytes(body, FORM_LENGTH_MAX)).await;
        let Ok(Ok(bytes)) = bytes else {
            return Err(OAuthError::request(&format!(
                "the body did not arrive, or is longer than {FORM_LENGTH_MAX} bytes"
            )));
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| OAuthError::request("the body is not UTF-8"))?;
        Self::parse(text)
    }

    /// Reads the text of a form. A field that is there twice makes it ambiguous, and ambiguous is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, OAuthError> {
        let pairs: Vec<&str> = text.split('&').filter(|pair| !pair.is_empty()).collect();
        if pairs.len() > FIELDS_MAX {
            return Err(OAuthError::request(&format!("the form has more than {FIELDS_MAX} fields")));
        }
        let mut fields = HashMap::new();
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| decode(&text.replace('+', " "));
            let (Some(name), Some(value)) = (plain(name), plain(value)) else {
                return Err(OAuthError::request("the form is not percent-encoded"));
            };
            if let Some(_first) = fields.insert(name.clone(), value) {
                let shown: String = name.chars().filter(|letter| !letter.is_control()).take(40).collect();
                return Err(OAuthError::request(&format!("the field '{shown}' is there twice")));
            }
        }
        Ok(Self(fields))
    }

    /// The value of a field, if it has one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a field that must have one.
    pub(super) fn need(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::request(&format!("the request must have the field '{name}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::{FIELDS_MAX, Form};

    #[test]
    fn forms() {
        let form =
            Form::parse("grant_type=client_credentials&scope=https%3A%2F%2Fh%2F%2F.default+openid&empty=")
                .unwrap();
        assert_eq!(form.get("scope"), Some("https://h//.default openid"));
        assert_eq!((form.get("empty"), form.get("none")), (None, None));
        assert!(form.need("grant_type").is_ok() && form.need("empty").is_err());
        let many = (0..=FIELDS_MAX).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join("&");
        for text in ["a=1&a=2", "a=%zz", "a=%ff", &many] {
            assert!(Form::parse(text).is_err(), "{text}");
        }
    }
}
