//! `palisade matrix`.

use crate::palisade;

#[test]
fn placeholder() {
    let run = palisade(&["matrix", "tiers.json"], b"");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
}
