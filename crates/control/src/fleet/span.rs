//! The span of a host: the documents that judge its interfaces, at one revision, ready to be sent.
//!
//! What belongs to it is [`World::closure`]'s to say and is gathered under the world's lock; what it looks like on the wire is
//! made outside of it, once for all hosts that have the document, and shared. The service tags that its documents name go
//! with them. Invariant: the estate that a host reads from its span judges its interfaces exactly as the whole estate does.
//! Reference: docs/adr/0029-spans-and-operations.md.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use palisade_model::{ResourceId, TagCatalog};
use palisade_store::Revision;
use palisade_sync::documents::DocumentsError;
use palisade_sync::{Documents, Entry};

use super::HostName;
use super::tags::{self, SentTag};
use crate::world::{Document, Part, World};

/// What a host is to have, gathered from one world; not yet rendered.
#[derive(Debug)]
pub struct Gathered {
    revision: Revision,
    parts: Vec<Part>,
    catalog: Arc<TagCatalog>,
    rivals: Vec<(ResourceId, Vec<HostName>)>,
}

/// What a host is to have.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// The world's revision.
    pub revision: Revision,
    /// The documents by the key they have on the wire.
    pub documents: Documents,
    /// Its interfaces that other hosts have too, by what their inventories say: with all hosts that have them.
    pub rivals: Vec<(ResourceId, Vec<HostName>)>,
}

/// What `host` is to have in this world.
pub fn gather(world: &World, host: &HostName) -> Gathered {
    let nics: Vec<ResourceId> = world.bindings().nics(host).into_iter().collect();
    let rivals = nics.iter().filter_map(|id| {
        let hosts = world.bindings().hosts(world.document(id)?);
        (hosts.len() > 1).then(|| (id.clone(), hosts.into_iter().collect()))
    });
    Gathered {
        revision: world.revision(),
        rivals: rivals.collect(),
        parts: world.closure(&nics),
        catalog: world.catalog().clone(),
    }
}

/// Some documents of a world, as if a host were to have them.
pub(crate) fn gathered(world: &World, parts: Vec<Part>) -> Gathered {
    Gathered { revision: world.revision(), parts, catalog: world.catalog().clone(), rivals: Vec::new() }
}

/// Documents as they are sent, shared between the hosts that have them.
#[derive(Debug, Default)]
pub struct Renderer {
    /// By id, and whether it is only a member of a group.
    rendered: Mutex<HashMap<(ResourceId, bool), Rendered>>,
    tags: tags::Renderer,
}

#[derive(Debug, Clone)]
struct Rendered {
    /// What it was made from: another document of the same id is another text.
    source: Arc<Document>,
    key: Arc<str>,
    entry: Entry,
    /// What it names that may be a service tag, in lower case.
    names: Arc<[String]>,
}

impl Renderer {
    /// The span of what was gathered.
    ///
    /// # Errors
    /// It is larger than a host takes.
    pub fn span(&self, gathered: Gathered) -> Result<Span, DocumentsError> {
        let Gathered { revision, parts, catalog, rivals } = gathered;
        let (mut documents, mut named) = (Documents::default(), BTreeSet::new());
        for part in &parts {
            let Rendered { key, entry, names, .. } = self.rendered(part);
            named.extend(names.iter().cloned());
            documents.put(key, entry)?;
        }
        if !documents.is_empty() {
            for SentTag { key, entry } in self.tags.entries(&catalog, named) {
                documents.put(key, entry)?;
            }
        }
        Ok(Span { revision, documents, rivals })
    }

    /// Forgets resources that have changed or are gone.
    pub fn forget(&self, changed: &[ResourceId]) {
        let mut rendered = self.lock();
        for id in changed {
            for is_member in [false, true] {
                rendered.remove(&(id.clone(), is_member));
            }
        }
    }

    fn rendered(&self, part: &Part) -> Rendered {
        let (source, is_member) = (part.document(), matches!(part, Part::Member(_)));
        let key = (source.id().clone(), is_member);
        if let Some(rendered) = self.lock().get(&key)
            && Arc::ptr_eq(&rendered.source, source)
        {
            return rendered.clone();
        }
        // Not under the lock: others must not wait for a large document.
        let made = render(part);
        self.lock().insert(key, made.clone());
        made
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ResourceId, bool), Rendered>> {
        // A cache: whatever a panic left behind is compared with its source before it is used.
        self.rendered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn render(part: &Part) -> Rendered {
    let source = part.document();
    let key: Arc<str> = source.id().as_str().to_ascii_lowercase().into();
    let text = serde_json::to_vec(&part.body()).expect("a JSON value is JSON text");
    let entry = Entry::new(&key, text.into());
    Rendered { source: Arc::clone(source), key, entry, names: tags::named(source).into() }
}
