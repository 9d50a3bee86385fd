//! What az, the REST API and Resource Graph print.

use palisade_model::ResourceId;
use palisade_model::spec::Given;

use super::*;

#[test]
fn one_estate_is_the_same_in_every_shape() {
    let flat = read_clean(&[fixture!("estate-flat.json")]);
    assert_eq!((flat.summary.nsgs, flat.summary.rules, flat.summary.rules_resolved), (1, 3, 3));
    assert_eq!(flat.summary.resources, 6);
    let rest = read_clean(&[fixture!("estate-rest.json")]);
    let graph = read_clean(&[fixture!("estate-graph.json")]);
    let template =
        read_clean(&[fixture!("estate-template.json"), fixture!("estate-template.parameters.json")]);
    same(&flat, &rest);
    same(&flat, &graph);
    same(&flat, &template);
    let merged = read_clean(&[fixture!("estate-flat.json"), fixture!("estate-rest.json")]);
    same(&flat, &merged);
}
