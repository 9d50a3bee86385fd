//! What some writes would do, without doing them: which intents they break, and what judges before and after.
//!
//! The documents are those that a host would be sent, so that whoever reads them judges as the hosts will.

use std::collections::BTreeSet;

use palisade_model::ResourceId;
use palisade_sync::Documents;
use serde_json::Value;

use crate::fleet::{self, Renderer};
use crate::gate::Verdict;
use crate::plan::{Context, Draft, plan};
use crate::time::unix_seconds;
use crate::world::Part;
use crate::{Action, Caller, Control, ControlError, Precondition, World, kinds};

/// What some writes would do.
#[derive(Debug)]
pub struct Preview {
    /// The interfaces that are judged otherwise.
    pub interfaces: BTreeSet<ResourceId>,
    /// What judges them before, service tags among it.
    pub before: Documents,
    /// The same after.
    pub after: Documents,
    /// What becomes of the intents.
    pub verdicts: Vec<Verdict>,
    /// Writes that would be refused whatever intents say.
    pub refused: Vec<(ResourceId, ControlError)>,
}

impl Control {
    /// Does all writes in order on a copy of the world; each sees those before it that succeeded.
    ///
    /// # Errors
    /// The intents cannot be proven, or what judges is more than a host could be sent.
    pub fn preview(&self, puts: Vec<(ResourceId, Value)>) -> Result<Preview, ControlError> {
        let mut world = self.read(World::clone);
        let context = Context { options: self.options(), now: unix_seconds(self.now()), address: "" };
        let mut draft = Draft::new(&mut world);
        let mut refused = Vec::new();
        for (id, body) in puts {
            let put = Action::Put { id: id.clone(), body, precondition: Precondition::default() };
            if let Err(error) = plan(&mut draft, &context, &put) {
                refused.push((id, error));
            }
        }
        let (interfaces, verdicts) = self.gate().verdicts(&mut draft, 0, context.now)?;
        let renderer = Renderer::default();
        let groups = groups(&draft);
        let look = |world: &World| documents(world, &renderer, &interfaces, &groups);
        let (before, after) = (draft.look_back(0, look)?, look(draft.world())?);
        Ok(Preview { interfaces, before, after, verdicts, refused })
    }

    /// Plans an action on a copy of the world, and has the intents judge it.
    ///
    /// # Errors
    /// What [`Control::act`] would refuse it with.
    pub fn rehearse(&self, caller: &Caller, action: &Action) -> Result<(), ControlError> {
        let mut world = self.read(World::clone);
        let context =
            Context { options: self.options(), now: unix_seconds(self.now()), address: &caller.address };
        let mut draft = Draft::new(&mut world);
        plan(&mut draft, &context, action)?;
        self.gate().judge(&mut draft, 0, caller.overriding.as_ref(), context.now).map(drop)
    }
}

/// NSGs that were written: what one at no interface says would not be seen otherwise.
fn groups(draft: &Draft<'_>) -> BTreeSet<ResourceId> {
    let changed = draft.changes().iter().filter_map(|change| change.id());
    let top = changed.filter_map(|id| Some(kinds::locate(id).ok()?.top));
    top.filter(|id| kinds::locate(id).is_ok_and(|target| target.kind.is(kinds::NSG))).collect()
}

/// What judges some interfaces, and some groups with their rules.
fn documents(
    world: &World,
    renderer: &Renderer,
    interfaces: &BTreeSet<ResourceId>,
    groups: &BTreeSet<ResourceId>,
) -> Result<Documents, ControlError> {
    let nics: Vec<ResourceId> = interfaces.iter().cloned().collect();
    let mut parts = world.closure(&nics);
    let known: BTreeSet<ResourceId> = parts.iter().map(|part| part.document().id().clone()).collect();
    for group in groups.iter().filter(|group| !known.contains(group)) {
        let family = world.document(group).into_iter().chain(world.under(group));
        parts.extend(family.cloned().map(Part::Whole));
    }
    let span = renderer.span(fleet::gathered(world, parts));
    span.map(|span| span.documents).map_err(|error| {
        let message =
            format!("The writes concern more than can be shown at once: {error}. Preview fewer of them.");
        ControlError::new(413, "PreviewTooLarge", message)
    })
}
