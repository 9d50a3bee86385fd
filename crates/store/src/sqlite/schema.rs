//! The tables, and the steps by which older files are brought to them.
//!
//! `application_id` says that a file is ours and `user_version` how many steps were taken. A step never changes once it was
//! released; a new one is added behind it. Each is one transaction: a crash leaves the step taken or not taken.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::StoreError;

/// "PLSD", in SQLite's header: how `file` and we know our own.
const APPLICATION_ID: i32 = 0x504c_5344;

/// The steps from an empty file, oldest first.
pub(super) const STEPS: &[&str] = &[
    // `kv` is what is in force. `log` is what watches replay: a row for each write, NULL for a delete. `state` is one row:
    // the newest revision, and the newest one that `log` no longer tells.
    "CREATE TABLE kv (k TEXT NOT NULL PRIMARY KEY, v BLOB NOT NULL, modified INTEGER NOT NULL);
     CREATE TABLE log (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, k TEXT NOT NULL, v BLOB);
     CREATE INDEX log_revision ON log (revision);
     CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL);
     INSERT INTO state VALUES (1, 0, 0);",
];

/// Brings a file to the newest schema; refuses one that is not ours or newer than this program.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found > steps.len() {
        return Err(StoreError::Damaged(format!(
            "its schema has version {found}, and this program knows up to {}: run the newer program that wrote it",
            steps.len()
        )));
    }
    for (number, step) in steps.iter().enumerate().skip(found) {
        take(connection, number + 1, step).map_err(|error| {
            StoreError::Damaged(format!("migration of its schema to version {} failed: {error}", number + 1))
        })?;
    }
    Ok(())
}

/// How many steps were taken.
fn version(connection: &Connection) -> Result<usize, StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let read = || -> rusqlite::Result<_> {
        let objects =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok((number("application_id")?, number("user_version")?, objects))
    };
    match read().map_err(|error| StoreError::Damaged(error.to_string()))? {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, version, _) if version > 0 => Ok(version.unsigned_abs() as usize),
        (id, version, _) => Err(StoreError::Damaged(format!(
            "it is a SQLite file of something else (application id {id:#x}, version {version})"
        ))),
    }
}

fn take(connection: &mut Connection, number: usize, step: &str) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", number)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::{STEPS, migrate, version};
    use rusqlite::Connection;

    fn opened() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        connection.execute("INSERT INTO kv VALUES ('a', x'01', 1)", []).unwrap();
        connection
    }

    fn keys(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM kv", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn steps_are_taken_once() {
        let mut connection = opened();
        migrate(&mut connection, STEPS).unwrap();
        assert_eq!((version(&connection), keys(&connection)), (Ok(STEPS.len()), 1));
    }

    #[test]
    fn a_further_step_keeps_what_is_there() {
        let mut connection = opened();
        let longer = [STEPS, &["ALTER TABLE kv ADD COLUMN note TEXT"]].concat();
        migrate(&mut connection, &longer).unwrap();
        assert_eq!((version(&connection), keys(&connection)), (Ok(longer.len()), 1));
        connection.execute("UPDATE kv SET note = 'new'", []).unwrap();
    }

    #[test]
    fn a_step_that_fails_is_not_taken_by_half() {
        let mut connection = opened();
        let broken = [STEPS, &["CREATE TABLE half (a); CREATE TABLE kv (a)"]].concat();
        let error = migrate(&mut connection, &broken).unwrap_err();
        assert!(error.to_string().contains("to version 2 failed"), "{error}");
        assert_eq!((version(&connection), keys(&connection)), (Ok(STEPS.len()), 1));
        assert!(!connection.table_exists(None, "half").unwrap());
    }

    #[test]
    fn a_newer_file_is_refused() {
        let mut connection = opened();
        connection.pragma_update(None, "user_version", STEPS.len() + 1).unwrap();
        let error = migrate(&mut connection, STEPS).unwrap_err();
        assert!(error.to_string().contains("run the newer program"), "{error}");
        assert_eq!(keys(&connection), 1);
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
        let error = migrate(&mut connection, STEPS).unwrap_err();
        assert!(error.to_string().contains("something else"), "{error}");
        assert!(!connection.table_exists(None, "kv").unwrap());
    }
}
