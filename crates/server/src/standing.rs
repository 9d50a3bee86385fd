//! The intents asked once more when the server starts: the service tags may be others than those that writes were proven with.
//!
//! What is broken is told and kept for whoever asks how the server is. It must not stop anything: what is in force stays in force.

use std::sync::Arc;

use palisade_control::Verdict;

use crate::{app::App, event::Event};

/// What was found at the start.
#[derive(Debug)]
pub(crate) enum Standing {
    /// What became of every intent.
    Proven(Vec<Verdict>),
    /// Nothing could be proven.
    Failed(String),
}

/// Proves the intents of what is in force, on a thread of its own, and tells what is broken.
pub(crate) async fn prove(app: Arc<App>) {
    let asked = app.clone();
    let proven = tokio::task::spawn_blocking(move || asked.control.standing()).await;
    let standing = match proven
        .map_err(|panicked| panicked.to_string())
        .map(|proven| proven.map_err(|error| error.to_string()))
    {
        Ok(Ok(verdicts)) => Standing::Proven(verdicts),
        Ok(Err(why)) | Err(why) => Standing::Failed(why),
    };
    match &standing {
        Standing::Failed(why) => {
            app.events
                .tell(Event::Failed { what: "the proof of the intents at the start", why: why.clone() });
        }
        Standing::Proven(verdicts) => {
            let broken = verdicts.iter().filter_map(|one| Some((one, one.breach.as_ref()?)));
            for (verdict, breach) in broken {
                let (intent, of) = (verdict.intent.clone(), verdict.set.to_string());
                app.events.tell(Event::IntentBroken { intent, of, why: breach.message.clone() });
            }
        }
    }
    // The only writer: the server starts once.
    let _ = app.standing.set(standing);
}
