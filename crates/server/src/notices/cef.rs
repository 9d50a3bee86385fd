//! An alert as ArcSight's Common Event Format, version 0: a header between bars, then `name=value` pairs.

use palisade_guard::Severity;
use serde_json::Value;

use super::Notice;

/// Addresses of the other ends that are listed.
const LISTED_MAX: usize = 10;

/// The line.
pub(super) fn line(notice: &Notice) -> String {
    let name = header(notice.text("name"));
    let mut line = format!(
        "CEF:0|Palisade|Palisade|{}|{name}|{name}|{}|",
        env!("CARGO_PKG_VERSION"),
        severity(notice.severity)
    );
    let number =
        |field: &str| notice.alert.get(field).filter(|value| value.is_number()).map(Value::to_string);
    let text = |field: &str| Some(notice.text(field).to_owned()).filter(|text| !text.is_empty());
    let victims = notice.alert.get("victims").and_then(Value::as_array);
    let victims: Vec<&str> =
        victims.into_iter().flatten().filter_map(Value::as_str).take(LISTED_MAX).collect();
    let one = |victims: &[&str]| if let [one] = victims { Some((*one).to_owned()) } else { None };
    let many = |victims: &[&str]| (victims.len() > 1).then(|| victims.join(" "));
    let is_address = |text: &String| text.parse::<std::net::IpAddr>().is_ok();
    let pairs = [
        ("rt", Some(notice.at_ms.to_string())),
        ("start", Some(notice.since_ms.to_string())),
        ("end", Some(notice.at_ms.to_string())),
        ("externalId", Some(notice.id.clone())),
        ("cat", text("kind")),
        ("src", text("subject").filter(is_address)),
        ("dst", one(&victims)),
        ("dpt", number("port")),
        ("proto", text("protocol").map(|protocol| protocol.to_uppercase())),
        ("deviceDirection", Some(u8::from(notice.text("direction") == "Outbound").to_string())),
        ("cnt", number("flows")),
        ("dvchost", text("host")),
        ("cs1Label", text("machine").map(|_| "machine".to_owned())),
        ("cs1", text("machine")),
        ("cs2Label", text("nic").map(|_| "nic".to_owned())),
        ("cs2", text("nic")),
        ("cs3Label", Some("subject".to_owned())),
        ("cs3", text("subject")),
        ("cs4Label", many(&victims).map(|_| "victims".to_owned())),
        ("cs4", many(&victims)),
        ("msg", text("evidence")),
    ];
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", extension(&value?))));
    line.push_str(&pairs.collect::<Vec<_>>().join(" "));
    line
}

/// From 0 to 10, as the format wants it.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "").replace('\n', "\\n")
}
