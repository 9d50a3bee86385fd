//! The driven packets meet the rules that their cases are about.

use std::time::Instant;

use palisade_lab::netns::obstacle;

use super::*;
use crate::{cases::Options, report::Report};

#[test]
fn kernel_packets_are_judged_as_the_cases_say() {
    if let Some(obstacle) = obstacle() {
        println!("skipped: {obstacle}");
        return;
    }
    let options = Options { quick: true, ..Options::default() };
    let mut tell = |_: &str| {};
    let deadline = Instant::now();
    let mut run = Run { options: &options, tell: &mut tell, report: Report::default(), deadline };
    let mut ours = Ours::open(Sizes { flows: 1 << 17, slots: 16 }).expect("the datapath loads");
    // Each of these fails if a packet is judged otherwise than its case says.
    established(&mut run, &mut ours).expect("established flows");
    let lists = List::all(&options).expect("lists are generated");
    let cases = verdicts(&run, &mut ours, &lists[0]).expect("new flows");
    let names: Vec<&str> = run.report.cases.iter().chain(&cases).map(|case| case.name).collect();
    let of_a_family = ["hook/verdict", "hook/denied again", "hook/new"];
    assert_eq!(names, [&["hook/established"; 2][..], &of_a_family, &of_a_family].concat());
    assert!(cases.iter().all(|case| case.ours > 0.0), "{cases:?}");
}
