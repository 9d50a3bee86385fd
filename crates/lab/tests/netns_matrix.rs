//! The lab without any policy: everything reaches everything, and nothing is left afterwards.

mod common;

use palisade_lab::matrix::{Matrix, all_probes};
use palisade_lab::probe::server::Servers;
use palisade_lab::probe::{Outcome, PATIENCE};

#[test]
fn without_policy_every_probe_is_answered() {
    let Some(lab) = common::lab_or_skip() else { return };
    let servers = Servers::start(&lab).expect("servers start");
    let matrix = Matrix::observe(&lab, None, PATIENCE).expect("probing works");
    println!("{}", matrix.render());
    let failed: Vec<String> = matrix
        .cells()
        .iter()
        .filter(|cell| cell.observed != Outcome::Answered)
        .map(|cell| format!("{}: {}", cell.probe, cell.observed))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(matrix.cells().len(), all_probes().len());
    drop(servers);
    lab.down().expect("the lab goes down");
}
