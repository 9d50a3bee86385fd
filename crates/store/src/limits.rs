//! What fits into one transaction. Both stores refuse the same, so that what one has taken can be moved to the other.
//!
//! etcd's defaults are the narrower ones: 128 operations and 1.5 MiB a request.

use crate::{Guard, Op, StoreError, Transaction};
use std::collections::BTreeSet;

/// Longest key, in bytes.
pub const KEY_LENGTH_MAX: usize = 2_048;
/// Longest value, in bytes: what etcd takes in one request, with room for the rest of the transaction.
pub const VALUE_LENGTH_MAX: usize = 1_000_000;
/// Most guards and operations of one transaction: etcd's default is 128.
pub const OPERATIONS_MAX: usize = 120;
/// Most bytes of all keys and values of one transaction, as [`Transaction::bytes`] counts them.
pub const TRANSACTION_BYTES_MAX: usize = 1_400_000;

impl Guard {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Absent(key) | Self::Unchanged(key, _) => key,
        }
    }
}

impl Op {
    /// The key it writes.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    fn value_length(&self) -> usize {
        match self {
            Self::Put(_, value) => value.len(),
            Self::Delete(_) => 0,
        }
    }
}

impl Transaction {
    /// Bytes of all keys and values in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let guards: usize = self.guards.iter().map(|guard| guard.key().len()).sum();
        let ops: usize = self.ops.iter().map(|op| op.key().len() + op.value_length()).sum();
        guards + ops
    }

    /// Refuses what no store takes.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        at_most("the number of guards and operations", self.guards.len() + self.ops.len(), OPERATIONS_MAX)?;
        at_most("the length of all keys and values in bytes", self.bytes(), TRANSACTION_BYTES_MAX)?;
        self.guards.iter().map(Guard::key).chain(self.ops.iter().map(Op::key)).try_for_each(check_key)?;
        let mut written = BTreeSet::new();
        for op in &self.ops {
            at_most("the length of a value in bytes", op.value_length(), VALUE_LENGTH_MAX)?;
            if !written.insert(op.key()) {
                return Err(StoreError::Invalid(format!("it writes {:?} twice", op.key())));
            }
        }
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    at_most("the length of a key in bytes", key.len(), KEY_LENGTH_MAX)?;
    if key.is_empty() || key.contains('\0') {
        return Err(StoreError::Invalid(format!("key {key:?} is empty or contains a zero byte")));
    }
    Ok(())
}

fn at_most(what: &'static str, actual: usize, limit: usize) -> Result<(), StoreError> {
    if actual > limit { Err(StoreError::TooLarge { what, actual, limit }) } else { Ok(()) }
}
