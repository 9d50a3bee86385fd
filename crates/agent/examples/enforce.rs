//! The smallest agent: keeps one estate in force at the interfaces of this network namespace.
//!
//! `enforce PIN_DIR STATE_DIR FILE...` says what it does on stderr, and ends with SIGTERM or SIGINT, leaving enforcement
//! as it is. The tests run it as the process that they kill.

use std::path::PathBuf;
use std::process::ExitCode;

use palisade_agent::load::EstateSources;
use palisade_agent::{Instance, Options, Tuning, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(pin_dir), Some(state_dir)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: enforce PIN_DIR STATE_DIR FILE...");
        return ExitCode::from(2);
    };
    let sources = EstateSources { paths: arguments.collect(), ..EstateSources::default() };
    let options = Options {
        instance: Instance { pin_dir, state_dir },
        sources: sources.into(),
        detach_on_exit: false,
        // A table for many would be made anew for each test.
        tuning: Tuning { flows: 10_000, ..Tuning::default() },
    };
    match run(&options, |event| eprintln!("{event}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
            ExitCode::from(3)
        }
    }
}
