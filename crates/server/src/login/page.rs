//! The page on which a person approves a device code: one form, no script, no cookie.
//!
//! Every approval takes the password anew, so that there is no session which another site could ride on; what a browser
//! tells of a request's origin is checked besides. What was typed comes back escaped, and the password never.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{Asked, OAuthError, device, form::Form, grants, issue};
use crate::app::App;

/// No script, nothing from elsewhere, in no frame; the form goes nowhere else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The empty form, with the code of the address filled in.
pub(super) async fn show(RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.as_deref().unwrap_or_default()).unwrap_or_default();
    page(StatusCode::OK, form.get("code").unwrap_or_default(), None)
}

/// Approves, if the code and the password are right.
pub(super) async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    if !is_of_this_page(request.headers()) {
        return page(StatusCode::FORBIDDEN, "", Some("The form was sent from another site."));
    }
    let asked = match Asked::read(app, "common", request).await {
        Ok(asked) => asked,
        Err(error) => return page(error.status, "", Some(&error.description)),
    };
    let code = asked.form.get("code").unwrap_or_default();
    match approve(&asked, code).await {
        Ok(()) => done(),
        Err(error) => page(error.status, code, Some(&error.description)),
    }
}

async fn approve(asked: &Asked, code: &str) -> Result<(), OAuthError> {
    let (name, password) = (asked.form.need("username")?, asked.form.need("password")?);
    let person = grants::person(asked, name, password).await;
    if let Err(error) = &person {
        issue::note(asked, &asked.stranger, name.to_owned(), error.code).await;
    }
    let person = person?;
    let caller = issue::caller(asked, &person);
    device::record(&asked.app, &caller, person.id, code)
        .await
        .map_err(|error| OAuthError::new(StatusCode::BAD_REQUEST, "invalid_request", error.message))
}

/// Whether a browser says that the form was sent from here. Clients that are no browsers say nothing.
fn is_of_this_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://") == Some(host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

fn done() -> Response {
    respond(
        StatusCode::OK,
        "<p>The code is approved. Go back to the other device; this page can be closed.</p>",
    )
}

fn page(status: StatusCode, code: &str, problem: Option<&str>) -> Response {
    let problem =
        problem.map_or_else(String::new, |problem| format!("<p role=\"alert\">{}</p>", escape(problem)));
    let form = format!(
        "{problem}<p>Enter the code that the other device shows, and log in. Approve only a code that you have asked for \
         yourself.</p><form method=\"post\" action=\"/device\">\
         <label>Code <input name=\"code\" value=\"{}\" required autocomplete=\"off\" autocapitalize=\"characters\"></label>\
         <label>User name <input name=\"username\" required autocomplete=\"username\"></label>\
         <label>Password <input name=\"password\" type=\"password\" required autocomplete=\"current-password\"></label>\
         <button>Approve</button></form>",
        escape(code),
    );
    respond(status, &form)
}

fn respond(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Palisade: approve a device</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>body{{font:1rem/1.5 sans-serif;max-width:28rem;\
         margin:4rem auto;padding:0 1rem}}label,input,button{{display:block;width:100%;box-sizing:border-box;margin:.5rem 0;\
         font:inherit}}[role=alert]{{color:#a00}}</style></head><body><h1>Approve a device</h1>{body}</body></html>",
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{escape, is_of_this_page};

    #[test]
    fn what_was_typed_is_text() {
        assert_eq!(escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }

    #[test]
    fn forms_of_other_sites_are_told() {
        let check = |headers: &[(&'static str, &'static str)], expect: bool| {
            let pairs = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(is_of_this_page(&pairs.collect::<HeaderMap>()), expect, "{headers:?}");
        };
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("host", "h:1"), ("origin", "https://h:1")], true);
        check(&[("host", "h:1"), ("origin", "https://evil")], false);
        check(&[("host", "h:1"), ("origin", "null")], false);
    }
}
