//! Where our keys are in etcd. All begin with the prefix:
//!
//! - `data/...` the entries of the store;
//! - `leader/NAME` who leads, for as long as a lease lives;
//! - `schema` the version of this layout;
//! - `restoring` while a restore fills `data/`: nobody else writes then.

use crate::url::EtcdUrl;

/// The version of the layout that this program writes and understands.
pub(super) const SCHEMA: u32 = 1;

/// The names of our keys.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// What entries begin with.
    pub(super) data: String,
    /// What leaderships begin with.
    pub(super) leader: String,
    /// The version.
    pub(super) schema: String,
    /// The mark of a restore.
    pub(super) restoring: String,
}

impl Layout {
    pub(super) fn new(url: &EtcdUrl) -> Self {
        let key = |name: &str| format!("{}/{name}", url.prefix);
        Self {
            data: key("data/"),
            leader: key("leader/"),
            schema: key("schema"),
            restoring: key("restoring"),
        }
    }
}
