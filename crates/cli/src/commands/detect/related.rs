//! The flows that alerts are about: how many, and of whom.
//!
//! Detectors keep fingerprints; here are the flows themselves, found by the addresses that alerts name. Flows are in the order of
//! their ends. It must not judge.

use std::{collections::HashMap, net::IpAddr};

use palisade_guard::{About, Alert, Connection};

/// Flows by the addresses that alerts name.
#[derive(Debug)]
pub struct Related<'a> {
    connections: &'a [Connection],
    /// Places in `connections`, ascending.
    by_address: HashMap<IpAddr, Vec<u32>>,
}

/// The address that leads to the fewest flows of an alert.
fn key(alert: &Alert) -> Option<IpAddr> {
    alert.source.or(alert.destination)
}

impl<'a> Related<'a> {
    /// Of alerts and the flows that gave rise to them.
    pub fn of(alerts: &[Alert], connections: &'a [Connection]) -> Self {
        let mut by_address: HashMap<IpAddr, Vec<u32>> =
            alerts.iter().filter_map(key).map(|address| (address, Vec::new())).collect();
        if !by_address.is_empty() {
            for (connection, at) in connections.iter().zip(0_u32..) {
                let (source, destination) = (connection.flow.source(), connection.flow.destination());
                for address in [source.to_canonical(), destination.to_canonical()] {
                    if let Some(places) = by_address.get_mut(&address) {
                        places.push(at);
                    }
                }
            }
        }
        Self { connections, by_address }
    }

    /// The flows of an alert.
    pub fn about(&self, alert: &Alert) -> About {
        let Some(places) = key(alert).and_then(|address| self.by_address.get(&address)) else {
            return About::default();
        };
        let ends = |at: u32| self.connections[at as usize].end_ms;
        let begin = places.partition_point(|at| ends(*at) < alert.since_ms);
        let within = places[begin..].iter().take_while(|at| ends(**at) <= alert.time_ms);
        About::of(alert, within.map(|at| &self.connections[*at as usize]))
    }
}
