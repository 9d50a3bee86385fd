//! Grants that are good for one connection: the first that a host tells of is the one, and when it is over the door closes.
//!
//! Hosts tell of connections in their flow records, which pass here on their way to the detectors. What is seen goes to a task that
//! asks the control plane; being told the same again changes nothing. It must not decide which grant is whose: the ledger does.
//! Reference: docs/jit.md.

use std::sync::Arc;

use palisade_control::{
    Action, Caller,
    access::{AccessVerb, Actor, Use, one_use},
    fleet::HostName,
};
use palisade_flowstore::Kind;
use palisade_model::ResourceId;
use palisade_net::Protocol;
use palisade_sync::{FlowBatch, FlowShape, flows::FlowLine};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{app::App, event::Event};

/// Connections through doors that wait to be looked at, of all hosts.
const WAITING_MAX: usize = 4_096;
/// Characters of a request's name, which the rule of its door begins with.
const REQUEST_CHARACTERS: usize = 12;

/// Something that a host tells of a connection through a door.
#[derive(Debug)]
struct Seen {
    host: HostName,
    nic: ResourceId,
    used: Use,
    is_over: bool,
}

/// Looks for connections through doors.
#[derive(Debug)]
pub(crate) struct Uses {
    queue: mpsc::Sender<Seen>,
    app: Arc<App>,
}

impl Uses {
    /// Begins to look; the task ends when nobody holds this any more.
    pub(crate) fn start(app: Arc<App>) -> (Self, JoinHandle<()>) {
        let (queue, mut waiting) = mpsc::channel(WAITING_MAX);
        let own = app.clone();
        let task = tokio::spawn(async move {
            while let Some(seen) = waiting.recv().await {
                note(&own, seen).await;
            }
        });
        (Self { queue, app }, task)
    }

    /// Looks through a batch of a host.
    pub(crate) fn feed(&self, host: &HostName, batch: &FlowBatch) {
        // Most batches have no door in them, and their records need not be read.
        if !batch.shapes.iter().any(|shape| door(shape).is_some()) {
            return;
        }
        let seen = batch.lines().filter_map(|(shape, line)| seen(host, shape, &line));
        let lost = seen.map(|seen| self.queue.try_send(seen)).filter(Result::is_err).count();
        if lost > 0 {
            let why = format!("{WAITING_MAX} connections wait to be looked at already");
            self.app.events.tell(Event::Failed { what: "the watch over grants for one connection", why });
        }
    }
}

/// The request and the port of the door that records of a shape came through, by the rule's name.
fn door(shape: &FlowShape) -> Option<(&str, u16)> {
    let rules = shape.rules.iter().filter(|rule| rule.layer == "Admin");
    let mut names = rules.filter_map(|rule| rule.rule.rsplit('/').next()?.split_once('-'));
    let is_request =
        |name: &str| name.len() == REQUEST_CHARACTERS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    names.find_map(|(request, port)| Some((request, port.parse().ok()?)).filter(|_| is_request(request)))
}

fn seen(host: &HostName, shape: &FlowShape, line: &FlowLine) -> Option<Seen> {
    let (request, port) = door(shape)?;
    let is_over = match Kind::named(&shape.kind)? {
        Kind::Begin | Kind::Continue => false,
        Kind::End | Kind::Cut => true,
        _ => return None,
    };
    let protocol = u8::try_from(shape.protocol).map(Protocol).ok()?;
    if !protocol.has_ports() || shape.nic_id.is_empty() {
        return None;
    }
    let used = Use { request: request.to_owned(), port, protocol, source: line.source };
    Some(Seen { host: host.clone(), nic: ResourceId::new(&shape.nic_id), used, is_over })
}

/// Tells the control plane, if a grant is concerned.
async fn note(app: &App, seen: Seen) {
    let Seen { host, nic, used, is_over } = seen;
    let Some(policy) = app.control.read(|world| one_use(world, &nic, &used, is_over)) else { return };
    let name = format!("host {host}");
    let actor = Actor { id: name.clone(), name: name.clone(), address: String::new() };
    let caller = Caller { principal: "uses".to_owned(), name, ..Caller::default() };
    let request = used.request.clone();
    let verb = if is_over { AccessVerb::EndUse(used) } else { AccessVerb::BeginUse(used) };
    match app.control.act(&caller, Action::Access { policy, verb, actor }).await {
        // Somebody closed it meanwhile.
        Err(error) if error.status < 500 => {}
        Err(error) => {
            let why = format!("request {request}: {}", error.message);
            app.events.tell(Event::Failed { what: "the watch over grants for one connection", why });
        }
        Ok(_) => {}
    }
}
