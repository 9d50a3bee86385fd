//! Alerts are answered as policies say, through the control plane and in its audit log, without anybody having asked.
//!
//! A listener hands alerts to a task, which carries them to the control plane one after the other: what was done before is in its
//! world, so that budgets and growing times survive every restart. It must not decide anything: policies do. Reference: docs/answers.md.

use std::sync::Arc;

use palisade_control::{Action, Caller, ControlError, Outcome, answers, time};
use palisade_guard::answer::{Sighting, Step};
use palisade_model::ResourceId;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    access::Note,
    alerts::{Listener, Raised},
    app::App,
    event::Event,
};

/// Alerts that wait to be answered.
const WAITING_MAX: usize = 1_024;

/// Answers alerts.
#[derive(Debug)]
pub struct Answers {
    queue: mpsc::Sender<Raised>,
    app: Arc<App>,
}

impl Answers {
    /// Begins to answer; the task ends when nobody holds the listener any more.
    pub fn start(app: Arc<App>) -> (Arc<Self>, JoinHandle<()>) {
        let (queue, mut waiting) = mpsc::channel(WAITING_MAX);
        let own = app.clone();
        let task = tokio::spawn(async move {
            while let Some(raised) = waiting.recv().await {
                answer(&own, &raised).await;
            }
        });
        (Arc::new(Self { queue, app }), task)
    }
}

impl Listener for Answers {
    fn raised(&self, raised: &Raised) {
        if self.queue.try_send(raised.clone()).is_err() {
            let why = format!("{WAITING_MAX} alerts wait to be answered already");
            self.app.events.tell(Event::AnswerFailed { alert: raised.id.clone(), why });
        }
    }
}

/// Answers one alert, and tells what was done, what was not, and why.
async fn answer(app: &App, raised: &Raised) {
    let target = raised.machine.as_deref().or(raised.nic.as_deref()).map(ResourceId::new);
    let seen = Sighting::of(&raised.alert, target);
    let now = time::unix_seconds(app.now());
    let Some(policy) = policy(app, &seen, now) else { return };
    let caller = Caller {
        principal: "answers".to_owned(),
        name: format!("policy {} for alert {}", policy.name(), raised.id),
        correlation: raised.id.clone(),
        ..Caller::default()
    };
    let administrators = app.gate.visitors().administrators(&app.control, &policy, now);
    let call = answers::AnswerCall { alert: raised.id.clone(), seen, administrators };
    let outcome = app.control.act(&caller, Action::Answer { policy: policy.clone(), call }).await;
    let (alert, by) = (raised.id.clone(), policy.name().to_owned());
    match told(outcome) {
        Ok(Some(what)) => app.events.tell(Event::Answered { alert, policy: by, what }),
        Ok(None) => {}
        Err(why) => {
            app.events.tell(Event::AnswerWithheld { alert, policy: by, why: why.clone() });
            let note = Note { verb: "withhold", target: policy.to_string(), outcome: why };
            app.gate.note(&app.control, &caller, note, now).await;
        }
    }
}

/// The policy that decides about an alert; `None` if none is to do more than to look.
fn policy(app: &App, seen: &Sighting, now: u64) -> Option<ResourceId> {
    let now = u32::try_from(now).unwrap_or(u32::MAX);
    let machine = seen.machine.as_ref();
    let all = app.control.read(|world| answers::policies(world, machine, &app.site.scope(), now));
    let mut asked = all.into_iter().filter_map(|(id, policy)| Some((id, policy.step(seen)?)));
    asked.next().filter(|(_, step)| *step != Step::Observe).map(|(id, _)| id)
}

/// What was done, if anything was; else why it was not, if that is worth a word.
fn told(outcome: Result<Outcome, ControlError>) -> Result<Option<String>, String> {
    let resource = outcome.map_err(|error| error.message)?.resource.unwrap_or_default();
    if let Some(why) = resource["withheld"].as_str() {
        return if resource["told"] == true { Err(why.to_owned()) } else { Ok(None) };
    }
    let properties = &resource["properties"];
    let whom = properties["target"]["id"].as_str().map(|id| ResourceId::new(id).name().to_owned());
    Ok(match (properties["source"].as_str(), whom, properties["endTimeUtc"].as_str()) {
        (Some(source), None, Some(end)) => Some(format!("{source} is locked out until {end}")),
        (Some(source), Some(whom), Some(end)) => Some(format!("{source} and {whom} are parted until {end}")),
        (None, Some(whom), Some(end)) => Some(format!("{whom} is throttled until {end}")),
        (None, Some(whom), None) => Some(format!("{whom} is in quarantine")),
        _ => None,
    })
}
