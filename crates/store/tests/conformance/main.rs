//! One suite for every store: what one does, the other does.

mod cases;

use palisade_store::Sqlite;

macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    crate::cases::$case(std::sync::Arc::new(crate::Sqlite::open(folder.path()).unwrap())).await;
                }
            )*
        }
    };
}

suite! {
    guards,
    a_transaction_is_whole_or_not,
    revisions_grow_by_what_changes,
    a_watch_replays_and_follows,
    a_watch_sees_its_prefix_only,
    a_slow_watch_misses_nothing,
    what_is_compacted_is_refused,
    limits_are_met_and_not_exceeded,
    concurrent_commits_do_not_lose_updates,
    keys_are_any_text,
    empty_values_are_values,
    a_snapshot_is_of_one_revision,
    somebody_leads,
}
