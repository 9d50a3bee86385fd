//! Base64, data URIs, percent encoding and joining of addresses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, Function, Needs, canonical};
use crate::template::problem::Fault;
use crate::template::text::Piece;
use crate::template::unknown::Unknown;
use crate::template::value::{Data, Type};

pub(super) const FUNCTIONS: &[Function] = &[
    text("base64", |call| call.text(STANDARD.encode(call.str(0)?))),
    text("base64ToString", |call| call.text(decoded(call, call.str(0)?)?)),
    Function { name: "base64ToJson", args: (1, 1), needs: Needs::All, returns: None, run: base64_to_json },
    text("dataUri", |call| {
        call.text(format!("data:text/plain;charset=utf8;base64,{}", STANDARD.encode(call.str(0)?)))
    }),
    text("dataUriToString", data_uri_to_string),
    text("uriComponent", |call| call.text(percent_encoded(call.str(0)?))),
    text("uriComponentToString", uri_component_to_string),
    Function { name: "uri", args: (2, 2), needs: Needs::Nothing, returns: Some(Type::String), run: uri },
];

const fn text(name: &'static str, run: fn(&Call<'_>) -> Result<Data, Fault>) -> Function {
    Function { name, args: (1, 1), needs: Needs::All, returns: Some(Type::String), run }
}

fn decoded(call: &Call<'_>, text: &str) -> Result<String, Fault> {
    let bytes = STANDARD.decode(text).map_err(|_| call.fault("the argument is not valid base64"))?;
    String::from_utf8(bytes).map_err(|_| call.fault("the decoded bytes are not UTF-8 text"))
}

fn base64_to_json(call: &Call<'_>) -> Result<Data, Fault> {
    let decoded = call.value(decoded(call, call.str(0)?)?);
    let inner = Call { args: &[decoded], ..*call };
    let json = super::find("json").expect("json is in the table");
    (json.run)(&inner)
}

fn data_uri_to_string(call: &Call<'_>) -> Result<Data, Fault> {
    let uri = call.str(0)?;
    let parts = uri.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    let Some((kind, data)) = parts else { return Err(call.fault(format!("'{uri}' is not a data URI"))) };
    let text = if kind.ends_with(";base64") { decoded(call, data)? } else { percent_decoded(call, data)? };
    call.text(text)
}

fn uri_component_to_string(call: &Call<'_>) -> Result<Data, Fault> {
    call.text(percent_decoded(call, call.str(0)?)?)
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn percent_decoded(call: &Call<'_>, text: &str) -> Result<String, Fault> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        let pair = bytes.get(i + 1..i + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                i += 3;
            }
            None => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|_| call.fault("the decoded bytes are not UTF-8 text"))
}

/// Joins an address and a relative one. When the address is a hole, its folder is a hole too and the relative
/// part stays visible, so that a link can still be followed to a file.
fn uri(call: &Call<'_>) -> Result<Data, Fault> {
    let (Some(base), Some(relative)) = (call.args[0].text(), call.args[1].text()) else {
        return Err(call.fault("both arguments must be strings"));
    };
    let Some(base) = base.known() else {
        let expression = format!("uri({}, '')", canonical(&call.args[0]));
        let folder = Unknown::because(expression, Some(Type::String), base.reasons());
        let mut pieces = vec![Piece::Unknown(folder)];
        pieces.extend(relative.pieces());
        return call.pieces(pieces);
    };
    let Some(Piece::Known(head)) = relative.pieces().into_iter().next() else {
        return Ok(call.unknown(Some(Type::String)));
    };
    let mut pieces = vec![Piece::Known(resolved(base, &head).into())];
    pieces.extend(relative.pieces().into_iter().skip(1));
    call.pieces(pieces)
}

/// `relative` as seen from `base`: RFC 3986 as far as templates go.
fn resolved(base: &str, relative: &str) -> String {
    if relative.contains("://") {
        return relative.to_owned();
    }
    let path_start = base.find("://").map_or(0, |at| at + 3);
    let authority_end = base[path_start..].find('/').map_or(base.len(), |at| path_start + at);
    if relative.starts_with('/') {
        return format!("{}{relative}", &base[..authority_end]);
    }
    let path = base.split(['?', '#']).next().unwrap_or_default();
    let folder = match path.rfind('/').filter(|&at| at >= authority_end) {
        Some(at) => path[..=at].to_owned(),
        None => format!("{path}/"),
    };
    let mut folder = folder.as_str();
    let mut relative = relative;
    loop {
        if let Some(rest) = relative.strip_prefix("./") {
            relative = rest;
        } else if let Some(rest) = relative.strip_prefix("../") {
            relative = rest;
            let up = folder.trim_end_matches('/').rfind('/').filter(|&at| at >= authority_end);
            folder = up.map_or(folder, |at| &folder[..=at]);
        } else {
            return format!("{folder}{relative}");
        }
    }
}
