//! Prints every key and every value of a hive that is named, for those who judge our reader: `tests/judges/hives.py`.
//!
//! A line is `key PATH` or `value PATH NAME TYPE DATA`, with texts and data in hexadecimal digits.

use std::{env, fmt::Write as _, fs, process::ExitCode};

use palisade_guest::registry::{Hive, HiveError, Key};

/// Keys below each other, as Windows limits them.
const DEPTH_MAX: usize = 512;

fn main() -> ExitCode {
    let mut files = env::args().skip(1).filter_map(|path| fs::read(path).ok());
    let Some(primary) = files.next() else {
        eprintln!("usage: hive HIVE [LOG...]");
        return ExitCode::from(2);
    };
    let logs: Vec<Vec<u8>> = files.collect();
    let told = Hive::read(primary, &logs).and_then(|hive| tell(hive.root()?, "", 0));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(key: Key<'_>, path: &str, depth: usize) -> Result<(), HiveError> {
    println!("key {}", hex(path.as_bytes()));
    for value in key.values()? {
        let value = value?;
        let (name, data) = (hex(value.name.as_bytes()), hex(&value.data));
        println!("value {} {name} {} {data}", hex(path.as_bytes()), value.kind);
    }
    for below in key.subkeys()?.take(if depth < DEPTH_MAX { usize::MAX } else { 0 }) {
        let below = below?;
        tell(below, &format!("{path}\\{}", below.name()?), depth + 1)?;
    }
    Ok(())
}

/// Hexadecimal digits; a dash for nothing, so that a line has all its parts.
fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a string cannot fail");
        digits
    });
    if digits.is_empty() { "-".to_owned() } else { digits }
}
