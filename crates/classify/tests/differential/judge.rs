//! What the kernel program does with the blobs of one direction, as `bpf/policy.h` does it.

use std::net::IpAddr;

use palisade_abi::verdict::Action;
use palisade_classify::{
    Verdict,
    blob::{BlobView, Fragment, Lookup},
    enforce::{DirectionBlobs, LayerBlob, PolicyBlobs},
};
use palisade_model::is_link_control;
use palisade_net::{Direction, Flow, Protocol};

/// The checked lists of both directions.
pub struct Lists<'a> {
    inbound: Vec<List<'a>>,
    outbound: Vec<List<'a>>,
}

struct List<'a> {
    /// Its place in the evaluation.
    place: usize,
    audit: bool,
    view: BlobView<'a>,
}

impl<'a> Lists<'a> {
    pub fn of(blobs: &'a PolicyBlobs) -> Self {
        let list = |(place, layer): (usize, &'a Option<LayerBlob>)| {
            let layer = layer.as_ref()?;
            let view = BlobView::parse(&layer.blob).expect("compiled blobs are sound");
            Some(List { place, audit: layer.audit, view })
        };
        let lists = |layers: &'a DirectionBlobs| layers.iter().enumerate().filter_map(list).collect();
        Self { inbound: lists(&blobs.inbound), outbound: lists(&blobs.outbound) }
    }

    fn of_direction(&self, direction: Direction) -> &[List<'a>] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

/// The verdict, and where it ended the evaluation.
pub fn judge(lists: &Lists<'_>, flow: &Flow, now: u32) -> (Verdict, Option<usize>) {
    walk(lists, flow, |list| (!list.audit).then(|| list.view.lookup(flow, now).rule))
}

/// The same with what is in audit.
pub fn judge_with_audit(lists: &Lists<'_>, flow: &Flow, now: u32) -> (Verdict, Option<usize>) {
    let found = |Lookup { rule, shadow, .. }: Lookup| shadow.or(rule);
    walk(lists, flow, |list| Some(found(list.view.lookup(flow, now))))
}

/// Asks the lists in order; `ask` answers `None` for one that is passed over.
fn walk(
    lists: &Lists<'_>,
    flow: &Flow,
    ask: impl Fn(&List<'_>) -> Option<Option<(usize, Action)>>,
) -> (Verdict, Option<usize>) {
    if is_link_control(flow) {
        return (Verdict::Allow, None);
    }
    for list in lists.of_direction(flow.direction()) {
        let Some(found) = ask(list) else { continue };
        match found.map(|(_, action)| action) {
            None if list.place == 0 => {}
            Some(Action::Allow) => {}
            Some(Action::AlwaysAllow) => return (Verdict::Allow, Some(list.place)),
            None | Some(Action::Deny | Action::Closed) => return (Verdict::Deny, Some(list.place)),
        }
    }
    (Verdict::Allow, None)
}

/// Whether a fragment that carries no ports passes.
pub fn passes_fragment(
    lists: &Lists<'_>,
    direction: Direction,
    protocol: Protocol,
    (source, destination): (IpAddr, IpAddr),
    now: u32,
) -> bool {
    for list in lists.of_direction(direction).iter().filter(|list| !list.audit) {
        match list.view.fragment(source, destination, protocol, now) {
            Fragment::Allow => {}
            Fragment::Miss if list.place == 0 => {}
            Fragment::AlwaysAllow => return true,
            Fragment::Deny | Fragment::Miss => return false,
        }
    }
    true
}
