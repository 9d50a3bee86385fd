//! The smallest agent: keeps one estate in force at the interfaces of this network namespace.
//!
//! `enforce PIN_DIR STATE_DIR FILE...` takes files, `enforce PIN_DIR STATE_DIR --server HOST:PORT TOKEN DATA_DIR` a server.
//! It says what it does on stderr, and ends with SIGTERM or SIGINT, leaving enforcement as it is. The tests run it as the
//! process that they kill.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use palisade_agent::load::EstateSources;
use palisade_agent::remote::ServerOptions;
use palisade_agent::{Instance, Options, Sources, Tuning, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(pin_dir), Some(state_dir)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: enforce PIN_DIR STATE_DIR FILE... | --server HOST:PORT TOKEN DATA_DIR");
        return ExitCode::from(2);
    };
    let rest: Vec<PathBuf> = arguments.collect();
    let sources = match &rest[..] {
        [option, server, token, data_dir] if option.as_os_str() == "--server" => {
            server_of(server, token, data_dir)
        }
        _ => EstateSources { paths: rest, ..EstateSources::default() }.into(),
    };
    let options = Options {
        instance: Instance { pin_dir, state_dir },
        sources,
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

/// The server that tests serve by themselves.
fn server_of(server: &Path, token: &Path, data_dir: &Path) -> Sources {
    let text = |path: &Path| path.to_str().expect("tests write ASCII").to_owned();
    Sources::Server(Box::new(ServerOptions {
        server: text(server).parse().expect("it is an address"),
        token: Some(text(token).parse().expect("it is a token")),
        authority: None,
        host: "host".to_owned(),
        data_dir: data_dir.to_owned(),
        service_tags: Vec::new(),
    }))
}
