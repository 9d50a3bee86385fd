//! The lab under the real agent: every cell of the matrix is as the oracle says.

use palisade_lab::{
    Lab, estate::Situation, matrix::all_probes, policy::EstateFiles, show, wiring::oracle::Oracle,
};
use palisade_tests::{agent, skip};

/// Ordered pairs of hosts with policy between them, nine services, two families.
const CELLS: usize = 1_080;

/// The agent itself: the tests run this program again to have it as a process of its own.
#[test]
fn agent_process() {
    agent::be_the_agent();
}

#[test]
fn every_cell_of_every_situation_is_as_the_oracle_says() {
    let Some(lab) = skip::lab() else { return };
    assert_eq!(all_probes().len(), CELLS);
    let _servers = lab.serve().expect("servers start");
    let files = files(&lab);
    let mut agent = agent::of_lab(&lab);
    for situation in Situation::ALL {
        files.change(situation).expect("the parameters can be written");
        let matrix = show::enforce_and_observe(&lab, &files, &mut agent, &mut Oracle::default())
            .unwrap_or_else(|error| panic!("{situation:?}: {:#}", anyhow::Error::new(error)));
        let mismatches = matrix.mismatches().count();
        assert_eq!((matrix.cells().len(), mismatches), (CELLS, 0), "{situation:?}\n{}", matrix.render());
        let predictions = matrix.cells().iter().filter_map(|cell| cell.predicted.as_ref());
        let (allowed, denied): (Vec<_>, Vec<_>) = predictions.partition(|prediction| prediction.is_allowed);
        assert_eq!(allowed.len() + denied.len(), CELLS, "every cell was predicted");
        assert!(allowed.len() > 100 && denied.len() > 100, "{situation:?} tells allowed from denied");
        println!(
            "{situation:?}: {} cells answered, {} silent, all as predicted",
            allowed.len(),
            denied.len()
        );
    }
}

fn files(lab: &Lab) -> EstateFiles {
    EstateFiles::write(&lab.stage().folder(), Situation::Default).expect("the estate can be written")
}
