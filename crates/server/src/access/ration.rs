//! How many entries of the audit log strangers may cause.
//!
//! Refused calls and failed logins are written down, and anybody can make as many of those as he likes. In each minute so
//! many are written for one address, and so many for all; how many were left out is told by the next that is written.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Entries a minute for one address.
const PER_ADDRESS_MAX: u32 = 20;
/// Entries a minute for all addresses.
const PER_SERVER_MAX: u32 = 200;

#[derive(Debug, Default)]
struct Minute {
    number: u64,
    written: u32,
    by_address: HashMap<Option<IpAddr>, u32>,
}

/// What is left of the present minute.
#[derive(Debug, Default)]
pub(super) struct Ration {
    state: Mutex<(Minute, u64)>,
}

impl Ration {
    /// Takes a place for an entry about `address`. If there is one, told is how many entries were left out since the last.
    pub(super) fn take(&self, address: Option<IpAddr>, now: u64) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (minute, left_out) = &mut *state;
        if minute.number != now / 60 {
            *minute = Minute { number: now / 60, ..Minute::default() };
        }
        // Bounded by the entries of a minute: an address is only remembered when something was written about it.
        let own = minute.by_address.get(&address).copied().unwrap_or_default();
        if minute.written >= PER_SERVER_MAX || own >= PER_ADDRESS_MAX {
            *left_out += 1;
            return None;
        }
        minute.written += 1;
        minute.by_address.insert(address, own + 1);
        Some(std::mem::take(left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{PER_ADDRESS_MAX, PER_SERVER_MAX, Ration};

    #[test]
    fn addresses_and_all_of_them_have_a_ration_and_what_was_left_out_is_told() {
        let (ration, address) = (Ration::default(), |n: u32| Some(IpAddr::V4(Ipv4Addr::from(n))));
        for _ in 0..PER_ADDRESS_MAX {
            assert_eq!(ration.take(address(1), 0), Some(0));
        }
        assert_eq!(ration.take(address(1), 59), None);
        assert_eq!(ration.take(address(2), 59), Some(1));
        let written = (0..10 * PER_SERVER_MAX).filter(|n| ration.take(address(n + 10), 59).is_some()).count();
        assert_eq!(written, (PER_SERVER_MAX - PER_ADDRESS_MAX - 1) as usize);
        assert!(ration.take(address(1), 60).is_some_and(|left_out| left_out > 1_000));
        assert_eq!(ration.take(address(1), 60), Some(0));
    }
}
