//! `palisade password`: verdicts and exit codes, and what is never shown.

use serde_json::Value;

use crate::palisade;

#[test]
fn the_famous_one_fails_and_a_line_of_a_song_passes() {
    for (passphrase, who, code) in [
        ("P@ssw0rd", "user", 1),
        ("Tr0ub4dor&3", "user", 0),
        ("Tr0ub4dor&3", "exposed", 1),
        ("born and raised in south Detroit", "exposed", 0),
    ] {
        let run = palisade(&["password", "--for", who, "--format", "json"], passphrase.as_bytes());
        assert_eq!(run.code, code, "{passphrase}: {}", run.stderr);
        let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(told["suffices"], code == 0);
        assert!(!run.stdout.contains(passphrase) && !run.stderr.contains(passphrase));
    }
}

#[test]
fn names_count_and_the_default_is_the_strictest() {
    let of = |more: &[&str]| palisade(&[&["password"], more].concat(), b"Contoso-vm7-Rosalind!\n").code;
    assert_eq!(of(&[]), 0);
    assert_eq!(of(&["--known", "vm7.contoso.example", "--known", "Rosalind"]), 1);
}

#[test]
fn nothing_is_bad_input() {
    for input in [&b""[..], b"\n", b"\xff\n"] {
        let run = palisade(&["password"], input);
        assert_eq!(run.code, 2);
        assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "));
    }
}

#[test]
fn what_is_drawn_is_strong_and_never_the_same() {
    let draw = |words: &str| palisade(&["password", "generate", "--words", words], b"");
    let (one, other) = (draw("7"), draw("7"));
    assert_eq!((one.code, one.stdout.trim_end().split('-').count()), (0, 7));
    assert_ne!(one.stdout, other.stdout);
    assert_eq!(palisade(&["password"], one.stdout.as_bytes()).code, 0);
    assert_eq!(draw("4").code, 2);
}
