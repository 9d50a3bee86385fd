//! What is shown: ends, and what passes between them, in words.
//!
//! Every claim is put to the oracle here, before it is printed in any form.

use palisade_analysis::{
    Terms,
    matrix::{Judge, Matrix, Member, Outcome, Route},
};
use palisade_net::{Family, Flow};

use crate::exit::Failure;

/// Most cells that are worked out for an answer: each is put to the oracle.
const CELLS_MAX: usize = 250_000;

/// A row or column.
#[derive(Debug, Clone)]
pub struct End {
    /// Its number in the plan.
    pub node: usize,
    /// A name that no other end has.
    pub label: String,
    /// The addresses of interfaces that it stands for; none of a peer outside.
    pub members: Vec<Member>,
}

/// The matrix of one family.
#[derive(Debug)]
pub struct View {
    /// The family.
    pub family: Family,
    /// Rows.
    pub from: Vec<End>,
    /// Columns.
    pub to: Vec<End>,
    /// Pairs of a row and a column between which something passes or may.
    pub cells: Vec<Shown>,
}

/// One cell.
#[derive(Debug)]
pub struct Shown {
    /// Index in [`View::from`].
    pub from: usize,
    /// Index in [`View::to`].
    pub to: usize,
    /// What is said of services, the surest first, each with a packet that shows it.
    pub said: Vec<(Outcome, Terms, Flow)>,
    /// Whether the network takes packets there.
    pub route: Route,
}

impl View {
    /// Every pair of chosen ends, cut down to the services that were asked about.
    pub fn new(
        family: Family,
        matrix: &Matrix<'_>,
        [from, to]: [Vec<End>; 2],
        judge: &mut Judge<'_>,
    ) -> Result<Self, Failure> {
        if from.len().saturating_mul(to.len()) > CELLS_MAX {
            return Err(Failure::input(format!(
                "{} rows and {} columns are more than {CELLS_MAX} cells (choose some with --from and --to)",
                from.len(),
                to.len()
            )));
        }
        let mut view = Self { family, from, to, cells: Vec::new() };
        let asked = matrix.asked();
        for (row, sender) in view.from.iter().enumerate() {
            for (column, receiver) in view.to.iter().enumerate() {
                if is_nothing(sender, receiver) {
                    continue;
                }
                let pair = (sender.node, receiver.node);
                let cell = matrix.cell(pair.0, pair.1).within(&asked);
                let mut said = Vec::new();
                for (outcome, services) in [
                    (Outcome::Allowed, &cell.allowed),
                    (Outcome::Partly, &cell.partly),
                    (Outcome::Unknown, &cell.unknown),
                ] {
                    if let Some(flow) =
                        judge.example(matrix, pair, outcome, services).map_err(Failure::input)?
                    {
                        said.push((outcome, matrix.words(services), flow));
                    }
                }
                if !said.is_empty() {
                    view.cells.push(Shown { from: row, to: column, said, route: cell.route });
                }
            }
        }
        Ok(view)
    }

    /// The cell of a row and a column, if anything passes there or may.
    pub fn cell(&self, from: usize, to: usize) -> Option<&Shown> {
        self.cells.iter().find(|cell| (cell.from, cell.to) == (from, to))
    }
}

/// Whether there is nothing between two ends: one address, or two peers outside.
pub fn is_nothing(from: &End, to: &End) -> bool {
    match (&from.members[..], &to.members[..]) {
        ([], []) => true,
        ([one], [other]) => one == other,
        _ => false,
    }
}
