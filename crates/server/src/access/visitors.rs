//! Who was let in lately, and from which address: the paths of administrators, which no lock-out may cut.
//!
//! Whether somebody administers is asked when it matters, with the rights that he has then. Nothing of it must survive.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use palisade_control::Control;
use palisade_model::ResourceId;

use super::{Principal, authorize};

/// Who administers: he may lock out by hand.
const ACTION: &str = "Palisade.Network/lockouts/write";
/// For how long somebody is remembered, in seconds.
const REMEMBERED: u64 = 3_600;
/// Pairs of an address and a principal that are remembered; the one that was quiet longest goes first.
const VISITORS_MAX: usize = 1_024;

type Key = (IpAddr, uuid::Uuid);

/// Addresses, who came from there, and when he came last.
#[derive(Debug, Default)]
pub struct Visitors(Mutex<HashMap<Key, (Principal, u64)>>);

impl Visitors {
    /// Somebody was let in.
    pub(crate) fn came(&self, address: &str, principal: &Principal, now: u64) {
        let Ok(address) = address.parse::<IpAddr>() else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (address.to_canonical(), principal.oid);
        if all.len() >= VISITORS_MAX && !all.contains_key(&key) {
            let quietest = all.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| *key);
            quietest.and_then(|key| all.remove(&key));
        }
        all.insert(key, (principal.clone(), now));
    }

    /// The addresses of those who administer something at `scope`.
    pub(crate) fn administrators(&self, control: &Control, scope: &ResourceId, now: u64) -> Vec<IpAddr> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_recent = |at: u64| now < at.saturating_add(REMEMBERED);
        let recent = all.into_iter().filter(|(_, (_, at))| is_recent(*at));
        let own = recent.filter(|(_, (principal, _))| authorize(control, principal, ACTION, scope).is_ok());
        own.map(|((address, _), _)| address).collect()
    }
}
