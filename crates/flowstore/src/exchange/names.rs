//! Labels that are in use, each once.

use std::{collections::HashSet, sync::Arc};

use crate::record::Labels;

/// Labels that are remembered; then they are forgotten, which costs space and nothing else.
const KNOWN_MAX: usize = 1 << 18;

/// Labels that were met.
#[derive(Debug, Default)]
pub(crate) struct Known(HashSet<Arc<Labels>>);

impl Known {
    /// The same labels, shared with everybody who has them.
    pub(crate) fn of(&mut self, labels: Labels) -> Arc<Labels> {
        if let Some(known) = self.0.get(&labels) {
            return known.clone();
        }
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        let labels = Arc::new(labels);
        self.0.insert(labels.clone());
        labels
    }
}
