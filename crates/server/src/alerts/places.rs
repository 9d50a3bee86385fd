//! Where connections were seen: interfaces, by numbers, each with the host that told of it last.

use std::{collections::HashMap, sync::Arc};

use palisade_control::fleet::HostName;
use palisade_flowstore::Labels;

/// Interfaces that are told apart; those beyond share a number, and alerts of theirs name no interface.
const PLACES_MAX: usize = 65_536;

/// The interfaces that are known.
#[derive(Debug)]
pub(super) struct Places {
    numbers: HashMap<Arc<str>, u32>,
    places: Vec<Place>,
}

#[derive(Debug, Default)]
struct Place {
    nic: Option<Arc<str>>,
    host: Option<HostName>,
}

impl Default for Places {
    fn default() -> Self {
        // The first one is nowhere.
        Self { numbers: HashMap::new(), places: vec![Place::default()] }
    }
}

impl Places {
    /// The number of the interface of a record. Who has no resource id is told apart by host and name.
    pub(super) fn number(&mut self, labels: &Labels, host: Option<&HostName>) -> u32 {
        let name: Arc<str> = match (&labels.nic_id, host) {
            (Some(id), _) => id.to_lowercase().into(),
            (None, Some(host)) => {
                format!("{host} {}", labels.interface.as_deref().unwrap_or_default()).into()
            }
            (None, None) => labels.interface.as_deref().unwrap_or_default().into(),
        };
        let number = match self.numbers.get(&name) {
            Some(number) => *number,
            None if self.places.len() > PLACES_MAX => 0,
            None => {
                let number = u32::try_from(self.places.len()).expect("places are few");
                self.numbers.insert(name, number);
                self.places.push(Place { nic: labels.nic_id.as_deref().map(Arc::from), host: None });
                number
            }
        };
        let place = &mut self.places[number as usize];
        if host.is_some() && place.host.as_ref() != host {
            place.host = host.cloned();
        }
        number
    }

    /// The interface's resource id.
    pub(super) fn nic(&self, number: u32) -> Option<&str> {
        self.places.get(number as usize)?.nic.as_deref()
    }

    /// The host that told of it last.
    pub(super) fn host(&self, number: u32) -> Option<&HostName> {
        self.places.get(number as usize)?.host.as_ref()
    }
}
