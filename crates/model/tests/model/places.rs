//! All problems of an input come at once, each with its place.

use palisade_model::{Code, Problem, Severity};

use crate::support::{nsg, place, problems, rule, text};

#[test]
fn problems_come_all_at_once_with_their_places() {
    let mut described = rule(&[("name", "d"), ("priority", "103"), ("line", "30")]);
    described.description = Some(text(&"x".repeat(200)));
    described.description.as_mut().expect("it was given").place = place(31);
    let mut prefix =
        rule(&[("name", "e"), ("priority", "104"), ("line", "40"), ("sourceAddressPrefix", "10.0.0.1/8")]);
    prefix.source.address_prefix.as_mut().expect("it was given").place = place(44);
    let mut spec = nsg(vec![
        rule(&[("line", "10")]),
        rule(&[("name", "b"), ("line", "20"), ("protocol", "Gre")]),
        rule(&[("name", "-"), ("line", "25"), ("priority", "7"), ("access", "-")]),
        described,
        prefix,
    ]);
    spec.nsgs[0].name = text("-");
    spec.nsgs[0].name.place = place(1);
    let found = problems(&spec);
    let mut shown: Vec<(u32, Code)> =
        found.iter().map(|problem| (problem.place.line, problem.code)).collect();
    shown.sort_unstable();
    let expected = [
        (0, Code::SecurityRuleInvalidPriority),
        (0, Code::PalInvalidValue),
        (1, Code::InvalidResourceName),
        (20, Code::SecurityRuleConflict),
        (25, Code::SecurityRuleParametersMissing),
        (25, Code::SecurityRuleParametersMissing),
        (31, Code::PalDescriptionTooLong),
        (44, Code::SecurityRuleInvalidAddressPrefix),
    ];
    assert_eq!(shown, expected, "{found:#?}");
}

#[test]
fn a_problem_reads_as_place_code_and_message() {
    let problem = |place| Problem {
        code: Code::SecurityRuleConflict,
        severity: Severity::Error,
        message: "two of them".to_owned(),
        place,
    };
    assert_eq!(problem(place(7)).to_string(), "estate.json:7: SecurityRuleConflict: two of them");
    let whole_file = palisade_model::Place { line: 0, ..place(0) };
    assert_eq!(problem(whole_file).to_string(), "estate.json: SecurityRuleConflict: two of them");
    let pointer = palisade_model::Place { pointer: "/resources/0".to_owned(), ..Default::default() };
    assert_eq!(problem(pointer).to_string(), "/resources/0: SecurityRuleConflict: two of them");
    assert_eq!(problem(Default::default()).to_string(), "SecurityRuleConflict: two of them");
}
