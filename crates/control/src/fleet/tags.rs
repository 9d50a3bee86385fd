//! The service tags that go with a span: those that its rules and routes name, as this server's catalog has them.
//!
//! A host reads its rules with the addresses that the server checked them by, and needs no file of its own. What a document
//! names is found by the fields that hold prefixes, whether it turns out to be a tag or not: the catalog decides. Tags that
//! the platform computes and a file replaces stand in default rules, which no document has, so they go to every host. The
//! catalog is fixed as long as a server runs, so a span's tags change only with its documents.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use palisade_model::{ComputedTag, TagAddresses, TagCatalog, TagName};
use palisade_sync::Entry;
use palisade_sync::documents::SERVICE_TAG_PREFIX;
use serde_json::{Value, json};

use crate::kinds;
use crate::world::Document;

/// A tag as it is sent.
#[derive(Debug, Clone)]
pub(super) struct SentTag {
    pub(super) key: Arc<str>,
    pub(super) entry: Entry,
}

/// Tags as they are sent, shared between the hosts that have them: the largest have thousands of prefixes.
#[derive(Debug, Default)]
pub(super) struct Renderer {
    rendered: Mutex<HashMap<String, (Arc<TagCatalog>, SentTag)>>,
}

impl Renderer {
    /// The tags of the catalog that have these names in lower case, or that the platform computes elsewhere.
    pub(super) fn entries(&self, catalog: &Arc<TagCatalog>, mut names: BTreeSet<String>) -> Vec<SentTag> {
        names.extend(ComputedTag::ALL.iter().map(|tag| tag.name().to_ascii_lowercase()));
        names.iter().filter_map(|name| self.entry(catalog, name)).collect()
    }

    fn entry(&self, catalog: &Arc<TagCatalog>, name: &str) -> Option<SentTag> {
        if let Some((source, sent)) = self.with(|rendered| rendered.get(name).cloned())
            && Arc::ptr_eq(&source, catalog)
        {
            return Some(sent);
        }
        let sent = render(catalog, &name.parse().ok()?)?;
        self.with(|rendered| rendered.insert(name.to_owned(), (catalog.clone(), sent.clone())));
        Some(sent)
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashMap<String, (Arc<TagCatalog>, SentTag)>) -> R) -> R {
        // A cache, as the documents' is.
        work(&mut self.rendered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A tag that a file defined; what is computed here is computed by the host too.
fn render(catalog: &TagCatalog, name: &TagName) -> Option<SentTag> {
    if !catalog.defines(name) {
        return None;
    }
    let TagAddresses::Known(addresses) = catalog.addresses(name) else { return None };
    let key: Arc<str> = format!("{SERVICE_TAG_PREFIX}{}", name.as_str()).into();
    let prefixes: Vec<String> = addresses.prefixes().iter().map(ToString::to_string).collect();
    let tag = json!({"name": name.as_str(), "properties": {"addressPrefixes": prefixes}});
    let text = json!({ "values": [tag] }).to_string();
    let entry = Entry::new(&key, text.into());
    Some(SentTag { key, entry })
}

/// What a document names that may be a service tag, in lower case.
pub(super) fn named(document: &Document) -> Vec<String> {
    let mut names = Vec::new();
    if [kinds::RULE, kinds::ADMIN_RULE, kinds::ROUTE].contains(&document.kind().name) {
        gather(document.properties(), &mut names);
    }
    names
}

/// Gathers names from every field that holds prefixes, at any depth.
fn gather(value: &Value, names: &mut Vec<String>) {
    for (field, value) in value.as_object().into_iter().flatten() {
        let field = field.to_ascii_lowercase();
        match value {
            Value::String(text) if field.ends_with("addressprefix") => name(text, names),
            Value::Array(elements) if field.ends_with("addressprefixes") => {
                elements.iter().filter_map(Value::as_str).for_each(|text| name(text, names));
            }
            Value::Array(elements) => elements.iter().for_each(|element| gather(element, names)),
            _ => {}
        }
    }
}

fn name(text: &str, names: &mut Vec<String>) {
    if text.parse::<TagName>().is_ok() {
        names.push(text.to_ascii_lowercase());
    }
}
