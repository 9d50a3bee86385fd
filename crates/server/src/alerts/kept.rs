//! The listener that keeps alerts: a queue, and a task that writes what is in it.
//!
//! What is in the queue waits while the store does not answer; what does not fit is lost, counted and told. Invariant: an alert is
//! written with what was true of the ones before it, whoever else writes.

use std::{sync::Arc, time::Duration};

use palisade_control::{
    Action,
    alerts::{self, NewAlert},
};
use tokio::{sync::mpsc, time::sleep};

use super::{Listener, Raised};
use crate::{
    app::{App, system_caller},
    event::{Event, Events},
};

/// Alerts that wait to be written.
const WAITING_MAX: usize = 4_096;
/// Alerts that are written at once.
const BATCH_MAX: usize = 32;
/// The pause after the store has failed.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// What the audit log calls it.
const VERB: &str = "raise alert";

/// The listener.
#[derive(Debug)]
pub(crate) struct Kept {
    queue: mpsc::Sender<NewAlert>,
    events: Events,
}

impl Kept {
    /// A listener, and what it leaves for [`keep`].
    pub(crate) fn new(events: Events) -> (Self, mpsc::Receiver<NewAlert>) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        (Self { queue, events }, waiting)
    }
}

impl Listener for Kept {
    fn raised(&self, raised: &Raised) {
        let new = NewAlert {
            id: raised.id.clone(),
            series: alerts::series(&raised.alert, raised.nic.as_deref()),
            host: raised.host.to_string(),
            nic: raised.nic.clone(),
            machine: raised.machine.clone(),
            seen: raised.seen(),
        };
        if self.queue.try_send(new).is_err() {
            let why = format!("alert {} is lost: {WAITING_MAX} others wait for the store", raised.id);
            self.events.tell(Event::AlertsNotKept { why });
        }
    }
}

/// Writes alerts until no more can come.
pub(crate) async fn keep(app: Arc<App>, mut waiting: mpsc::Receiver<NewAlert>) {
    let mut new = Vec::new();
    while waiting.recv_many(&mut new, BATCH_MAX).await > 0 {
        let mut is_told = false;
        while let Err(why) = write(&app, &new).await {
            if !is_told {
                app.events.tell(Event::AlertsNotKept { why });
                is_told = true;
            }
            sleep(RETRY_PAUSE).await;
        }
        new.clear();
    }
}

/// Writes some; anew if somebody else has written meanwhile.
async fn write(app: &App, new: &[NewAlert]) -> Result<(), String> {
    loop {
        let (changes, forgotten) = app.control.read(|world| alerts::raise(world, new));
        match app.control.act(&system_caller(), Action::Records { changes, verb: VERB }).await {
            Err(error) if error.status == 409 => {}
            Err(error) => return Err(error.to_string()),
            Ok(_) if forgotten > 0 => {
                app.events.tell(Event::AlertsForgotten { count: forgotten });
                return Ok(());
            }
            Ok(_) => return Ok(()),
        }
    }
}
