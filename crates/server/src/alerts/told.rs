//! Alerts told to the server's operator, beside its other events.

use palisade_guard::Severity;

use super::{Listener, Raised};
use crate::event::{Event, Events};

/// A listener that tells the operator.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Events);

impl Listener for Told {
    fn raised(&self, raised: &Raised) {
        // What is only for the record would fill the operator's log.
        if raised.alert.severity() < Severity::Low {
            return;
        }
        self.0.tell(Event::Alert {
            id: raised.id.clone(),
            severity: raised.alert.severity().to_string(),
            name: raised.alert.name(),
            subject: raised.alert.subject(&raised.about),
            machine: raised.machine.clone(),
        });
    }
}
