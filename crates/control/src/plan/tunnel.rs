//! Tunnels: begun and ended by a server for who has one, never written by a client.
//!
//! A door is none that a tunnel passes by: what the policy wants of a request it wants of a tunnel. A port that is no door
//! needs the permission alone, which is asked for before.

use palisade_guard::access::{AccessError, Knock, Passage, TEXT_MAX, TUNNEL_TIME, TUNNEL_TIME_MAX};
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{Context, Draft, Planned, put};
use crate::access::{
    self, Actor, Opening, Summary, TUNNELS_MAX, TUNNELS_PER_HOST_MAX, TUNNELS_PER_PRINCIPAL_MAX, Terms,
    TunnelVerb,
};
use crate::kinds::{self, Kind, TUNNEL};
use crate::world::Document;
use crate::{ControlError, Effect, World, time};

/// Refuses to write what only servers write.
pub(super) fn check_unwritten(kind: &Kind) -> Result<(), ControlError> {
    if kind.name != TUNNEL {
        return Ok(());
    }
    let message = "A tunnel cannot be written: open one with `palisade connect`, and delete it to end it.";
    Err(ControlError::new(405, "MethodNotAllowed", message))
}

/// Plans the begin or the end of a tunnel.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    id: &ResourceId,
    verb: &TunnelVerb,
    actor: &Actor,
) -> Result<Planned, ControlError> {
    match verb {
        TunnelVerb::Begin(opening) => begin(draft, context, id, opening, actor),
        TunnelVerb::End(summary) => Ok(end(draft, context, id, summary)),
    }
}

fn begin(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    id: &ResourceId,
    opening: &Opening,
    actor: &Actor,
) -> Result<Planned, ControlError> {
    let now = access::seconds(context.now);
    forget_ended(draft, now);
    check_count(draft.world(), opening, actor)?;
    check_texts(opening)?;
    if draft.world().document(&opening.way.nic).is_none() {
        return Err(ControlError::not_found(&opening.way.nic));
    }
    let leave = leave(draft.world(), opening, actor, now)?;
    let body = body(opening, actor, &leave, context.now);
    let kind = kinds::find(TUNNEL).expect("tunnels are in the table");
    draft.put(Document::new(id.clone(), kind, body.clone(), put::new_etag(), 0));
    Ok(Planned {
        effect: Effect::Created,
        resource: draft.world().render(id),
        verb: "begin".to_owned(),
        target: id.to_string(),
        before: None,
        after: Some(body),
        note: None,
        unfinished: None,
        warnings: Vec::new(),
    })
}

/// Takes away what a server that died has left and the kernel has closed already.
fn forget_ended(draft: &mut Draft<'_>, now: u32) {
    let world = draft.world();
    let has_ended = |id: &&ResourceId| {
        let end = world.document(id).and_then(|tunnel| access::end_of(tunnel));
        end.is_none_or(|end| end <= now)
    };
    let ended: Vec<ResourceId> = world.of_kind(TUNNEL).filter(has_ended).cloned().collect();
    ended.iter().for_each(|id| draft.remove(id));
}

fn check_count(world: &World, opening: &Opening, actor: &Actor) -> Result<(), ControlError> {
    let (mut all, mut of_host, mut own) = (0, 0, 0);
    for tunnel in world.of_kind(TUNNEL).filter_map(|id| world.document(id)) {
        all += 1;
        of_host += usize::from(tunnel.properties()["host"] == opening.way.host.as_str());
        own += usize::from(tunnel.properties()["requestorId"] == actor.id.as_str());
    }
    let limits = [
        (own, TUNNELS_PER_PRINCIPAL_MAX, "You have"),
        (of_host, TUNNELS_PER_HOST_MAX, "The machine's host has"),
        (all, TUNNELS_MAX, "There are"),
    ];
    match limits.into_iter().find(|(count, most, _)| count >= most) {
        None => Ok(()),
        Some((_, most, who)) => {
            let message =
                format!("{who} {most} tunnels already, and there may be no more: end some of them.");
            Err(ControlError::new(409, "TunnelLimitReached", message))
        }
    }
}

fn check_texts(opening: &Opening) -> Result<(), ControlError> {
    let ticket = opening.ticket.as_deref().unwrap_or_default();
    for (what, text) in [("reason", opening.reason.as_str()), ("ticket", ticket)] {
        let actual = text.chars().count();
        if actual > TEXT_MAX {
            return Err(access::refused(&AccessError::Text { what, actual, least: 0, most: TEXT_MAX }));
        }
    }
    Ok(())
}

/// Leave for a tunnel, and what it rests on.
struct Leave {
    passage: Passage,
    /// The machine and the policy whose request it rests on.
    rests_on: Option<(ResourceId, ResourceId)>,
}

/// What the policies about the machine say: of several with the port, one must let it pass.
fn leave(world: &World, opening: &Opening, actor: &Actor, now: u32) -> Result<Leave, ControlError> {
    let mut refusal = None;
    for machine in access::machines_of(world, &opening.way.nic) {
        for policy in access::policies(world, &machine) {
            let knock = Knock {
                machine: machine.clone(),
                port: opening.port,
                by: actor.person(),
                from: actor.address.parse().ok(),
                seconds: opening.seconds,
            };
            let passage = access::ledger(policy.properties())?.passage(&knock, now);
            let passage = passage.map_err(|error| access::refused(&error)).and_then(|passage| {
                if passage.is_some() {
                    Terms::of(policy.properties()).check(&opening.reason, opening.ticket.as_deref())?;
                }
                Ok(passage)
            });
            match passage {
                Ok(None) => {}
                Ok(Some(passage)) => {
                    let rests_on = passage.request.is_some().then(|| (machine.clone(), policy.id().clone()));
                    return Ok(Leave { passage, rests_on });
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
    }
    refusal.map_or_else(|| free(opening, now), Err)
}

/// A port that is no door.
fn free(opening: &Opening, now: u32) -> Result<Leave, ControlError> {
    let asked = opening.seconds.unwrap_or(TUNNEL_TIME);
    if asked > TUNNEL_TIME_MAX {
        let message =
            format!("A tunnel is asked for {asked} s, and lasts {TUNNEL_TIME_MAX} s at most: ask for less.");
        return Err(ControlError::bad("TunnelTooLong", message).about("duration"));
    }
    let passage = Passage { until: now.saturating_add(asked), request: None };
    Ok(Leave { passage, rests_on: None })
}

fn body(opening: &Opening, actor: &Actor, leave: &Leave, now: u64) -> Value {
    let Opening { way, .. } = opening;
    let mut own = json!({
        "networkInterface": {"id": way.nic.as_str()},
        "target": {"id": opening.target.as_str()},
        "host": way.host.as_str(),
        "address": way.address.to_string(),
        "port": opening.port,
        "sourceAddress": opening.source.ip().to_string(),
        "sourcePort": opening.source.port(),
        "startTimeUtc": time::rfc3339(now),
        "endTimeUtc": time::rfc3339(u64::from(leave.passage.until)),
        "idleSeconds": opening.idle,
        "requestor": actor.name,
        "requestorId": actor.id,
        "requestorAddress": actor.address,
        "justification": opening.reason,
    });
    if let Some(ticket) = &opening.ticket {
        own["ticket"] = ticket.as_str().into();
    }
    if let (Some((machine, policy)), Some(request)) = (&leave.rests_on, &leave.passage.request) {
        own["virtualMachine"] = json!({"id": machine.as_str()});
        own["policy"] = policy.as_str().into();
        own["request"] = request.as_str().into();
    }
    json!({"properties": own})
}

/// The audit log is told even if somebody has deleted the tunnel before.
fn end(draft: &mut Draft<'_>, context: &Context<'_>, id: &ResourceId, summary: &Summary) -> Planned {
    let before = draft.world().document(id).map(|document| document.body().clone());
    draft.remove(id);
    let after = json!({
        "endedTimeUtc": time::rfc3339(context.now),
        "endedFor": summary.why,
        "bytesToMachine": summary.to_machine,
        "bytesFromMachine": summary.from_machine,
    });
    Planned {
        effect: if before.is_some() { Effect::Deleted } else { Effect::Absent },
        resource: None,
        verb: "end".to_owned(),
        target: id.to_string(),
        before,
        after: Some(after),
        note: Some(summary.why.to_owned()),
        unfinished: None,
        warnings: Vec::new(),
    }
}
