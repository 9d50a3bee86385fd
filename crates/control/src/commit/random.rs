//! Random actions through a whole control plane: what is answered is what the naive idea says, what is stored is what is
//! shown, and revisions only grow.

use std::sync::Arc;

use palisade_model::ResourceId;
use palisade_store::{Revision, Sqlite, Store};
use proptest::prelude::*;
use serde_json::Value;

use crate::plan::tests::{Naive, Step, action, steps};
use crate::{Caller, Control, Effect, Options};

fn shown(control: &Control) -> (Revision, Vec<(ResourceId, Option<Value>)>) {
    control.read(|world| {
        let all = world.documents().map(|document| document.id());
        (world.revision(), all.map(|id| (id.clone(), world.render(id))).collect())
    })
}

async fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).expect("a store"));
    let control = Control::open(store.clone(), Options::default()).await.expect("it opens");
    let (mut naive, mut last, mut told) = (Naive::default(), Revision(0), control.changes());
    for step in steps {
        let mut next = naive.clone();
        let expected = next.step(step);
        let found = control.act(&Caller::default(), action(step)).await;
        prop_assert_eq!(found.as_ref().ok().map(|outcome| outcome.effect), expected, "{:?}", step);
        let Ok(outcome) = found else { continue };
        naive = next;
        let is_written = !matches!(outcome.effect, Effect::Unchanged | Effect::Absent);
        prop_assert!(if is_written { outcome.revision > last } else { outcome.revision == last }, "{step:?}");
        prop_assert_eq!(control.read(crate::World::revision), outcome.revision);
        if is_written {
            let commit = told.try_recv().expect("it was told before it was answered");
            prop_assert_eq!(commit.revision, outcome.revision);
            prop_assert!(!commit.changed.is_empty());
        }
        last = outcome.revision;
    }
    let again = Control::open(store, Options::default()).await.expect("it opens");
    prop_assert_eq!(shown(&again), shown(&control));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_is_stored_is_what_was_answered(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(&steps))?;
    }
}
