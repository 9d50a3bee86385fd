//! Every case against every store.

/// A module of tests for each store, from one list of cases.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = palisade_store::Sqlite::open(folder.path()).unwrap();
                    crate::cases::$case(std::sync::Arc::new(store)).await;
                }
            )*
        }

        mod etcd {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let Some(server) = crate::support::EtcdServer::start(&[]).await else { return };
                    crate::cases::$case(std::sync::Arc::new(server.open("conformance").await)).await;
                }
            )*
        }
    };
}

suite! {
    guards,
    a_transaction_is_whole_or_not,
    revisions_grow_by_what_changes,
    an_entry_knows_its_last_write,
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
    an_import_replaces_everything,
}
