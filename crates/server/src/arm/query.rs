//! Query strings: names without case, values decoded, each name once.

use crate::error::ApiError;

use super::path::decode;

/// Longest query, in bytes.
const QUERY_LENGTH_MAX: usize = 8_192;
/// Most parameters.
const PARAMETERS_MAX: usize = 64;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    parameters: Vec<(String, String)>,
    /// As it was written, parameter by parameter.
    raw: Vec<String>,
}

impl Query {
    /// Reads what follows the question mark.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        if text.len() > QUERY_LENGTH_MAX {
            return Err(invalid(&format!("it is longer than {QUERY_LENGTH_MAX} bytes")));
        }
        let raw: Vec<String> = text.split('&').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if raw.len() > PARAMETERS_MAX {
            return Err(invalid(&format!("it has more than {PARAMETERS_MAX} parameters")));
        }
        let parameters = raw.iter().map(|part| pair(part)).collect::<Result<_, _>>()?;
        Ok(Self { parameters, raw })
    }

    /// The value of a parameter; the first, if it is there twice.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The query as it was written, without `name`.
    pub(crate) fn without(&self, name: &str) -> String {
        let kept =
            self.parameters.iter().zip(&self.raw).filter(|((own, _), _)| !own.eq_ignore_ascii_case(name));
        kept.map(|(_, raw)| raw.as_str()).collect::<Vec<_>>().join("&")
    }
}

fn pair(part: &str) -> Result<(String, String), ApiError> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let decoded = |text: &str| {
        let text = decode(&text.replace('+', " ")).filter(|text| !text.contains(char::is_control));
        text.ok_or_else(|| invalid(&format!("'{part}' is not percent-encoded text")))
    };
    Ok((decoded(name)?, decoded(value)?))
}

fn invalid(why: &str) -> ApiError {
    ApiError::bad("InvalidQueryString", format!("The query string cannot be read: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let query = Query::parse("API-Version=2022-01-01&%24filter=name+eq%20'a'&$skipToken=x&flag").unwrap();
        assert_eq!(query.get("api-version"), Some("2022-01-01"));
        assert_eq!(query.get("$FILTER"), Some("name eq 'a'"));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("none"), None);
        assert_eq!(query.without("$skiptoken"), "API-Version=2022-01-01&%24filter=name+eq%20'a'&flag");
        assert!(Query::parse("a=%zz").is_err());
        assert!(Query::parse("a=%00").is_err());
        assert!(Query::parse(&"a&".repeat(PARAMETERS_MAX + 1)).is_err());
        assert!(Query::parse(&"a".repeat(QUERY_LENGTH_MAX + 1)).is_err());
    }
}
