//! One form for each JSON document: no white space, properties in the order of their names' bytes.
//!
//! A hash over it does not depend on how a store or a library happens to order properties. Numbers and texts are written as
//! `serde_json` writes them, which reads back what it wrote.

use serde::Serialize;
use serde_json::Value;

/// The canonical form of `value`.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| name.as_bytes());
            out.push(b'{');
            for (index, (name, field)) in fields.into_iter().enumerate() {
                separate(index, out);
                scalar(name, out);
                out.push(b':');
                write(field, out);
            }
            out.push(b'}');
        }
        _ => scalar(value, out),
    }
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn scalar(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a Vec takes everything, and a scalar is JSON");
}
