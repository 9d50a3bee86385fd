//! Settings of nftables with includes and names, as we judge them and as `nft` loads them.
//!
//! nft loads them into a network namespace that ends with it, with a folder of ours in the place of `/etc`; what it lists then has neither includes nor names. What is denied must
//! be denied by that list too, and settings that it refuses deny nothing.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use palisade_guest::{MemoryFiles, Profile, audit};
use proptest::{
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};

const MAIN: &str = "/etc/nftables.conf";

type Texts = BTreeMap<String, String>;

/// Whether the machine's firewall denies, as the audit says.
fn denies(texts: &Texts) -> bool {
    let more = [("/etc/passwd", ""), ("/etc/systemd/system/sysinit.target.wants/nftables.service", "")];
    let all = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).chain(more);
    let report = audit(&all.collect::<MemoryFiles>(), &Profile::default());
    let unknown: Vec<_> = report.unknown.iter().filter(|unknown| unknown.what == "the firewall").collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    !report.findings.iter().any(|finding| finding.check.id == "PAL-GUEST-FIREWALL")
}

/// What nft lists after it has loaded them; `None` if it refuses them.
fn listed(texts: &Texts) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in texts {
        let path = folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it is written");
    }
    let script = "mount --bind \"$0\" /etc && cd / && nft -f /etc/nftables.conf && nft list ruleset";
    let run = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", script])
        .arg(folder.path().join("etc"))
        .output()
        .expect("unshare starts");
    run.status.success().then(|| String::from_utf8(run.stdout).expect("text"))
}

fn is_judged() -> bool {
    let one = Texts::from([(MAIN.to_owned(), "table inet f {\n}\n".to_owned())]);
    let is_there = Path::new("/usr/sbin/nft").exists() && listed(&one).is_some();
    if !is_there {
        println!("skipped: nft cannot load settings into a namespace (it takes nftables, and root)");
    }
    is_there
}

/// Whether nft denies, by its own list.
fn judged(texts: &Texts) -> bool {
    listed(texts).is_some_and(|list| denies(&Texts::from([(MAIN.to_owned(), list)])))
}

fn chain(rules: &str) -> String {
    format!("table inet f {{\nchain i {{\ntype filter hook input priority 0\n{rules}\n}}\n}}\n")
}

#[test]
fn includes_and_names() {
    let drop = chain("policy drop");
    let files = |main: &str, more: &[(&str, &str)]| -> Texts {
        let main = [(MAIN.to_owned(), main.to_owned())].into_iter();
        main.chain(more.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))).collect()
    };
    let many: Vec<(String, String)> =
        (0..40).map(|n| (format!("/etc/d/{n:02}.nft"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let deep = |depth: usize| -> Texts {
        let path = |n: usize| if n == 0 { MAIN.to_owned() } else { format!("/etc/{n}") };
        let texts = (0..depth).map(|n| (path(n), format!("include \"{}\"\n", n + 1)));
        texts.chain([(path(depth), drop.clone())]).collect()
    };
    let cases = [
        (files("include \"a\"\n", &[("/etc/a", &drop)]), true),
        (files("include \"a\"\n", &[("/etc/nftables/a", &drop)]), false),
        (files("include \"/etc/d/*.nft\"\n", &[("/etc/d/x.nft", &drop)]), true),
        (files("include \"d/*.nft\"\n", &[("/etc/d/.x.nft", &drop)]), false),
        (files(&format!("include \"d/*.nft\"\n{drop}"), &many), true),
        (files("include \"./etc/a\"\n", &[("/etc/a", &drop)]), true),
        (
            files(
                &format!("include \"none/*\"\ninclude \"/etc/d\"\ninclude \"d/\"\n{drop}"),
                &[("/etc/d/x", "")],
            ),
            true,
        ),
        (files(&format!("include \"none\"\n{drop}"), &[]), false),
        (files(&format!("{drop}include \"nftables.conf\"\n"), &[]), false),
        (files(&chain("include \"a\"\n"), &[("/etc/a", "policy drop")]), true),
        (files(&chain("include \"a\"; accept\n"), &[("/etc/a", "policy drop\n")]), false),
        (files("include \"a\"\n", &[("/etc/a", &format!("{drop}flush ruleset\n"))]), false),
        (files(&format!("define p = \"drop\"\n{}", chain("policy $p")), &[]), true),
        (files(&format!("define p = \"drop\"\nundefine p\n{}", chain("policy $p")), &[]), false),
        (
            files(
                &format!("include \"a\"\n{}", chain("policy $b")),
                &[("/etc/a", "define a = \"drop\"; define b = $a\n")],
            ),
            true,
        ),
        (files(&format!("table inet g {{\ndefine p = \"drop\"\n}}\n{}", chain("policy $p")), &[]), false),
        (files(&format!("define p = \"drop\"\ndefine p = \"drop\"\n{drop}"), &[]), false),
        (
            files(&format!("define s = {{\n22,\n80 }}\n{}", chain("tcp dport $s accept\ncounter drop")), &[]),
            true,
        ),
        (files(&chain("accept\ndrop"), &[]), false),
        (files(&chain("policy drop\nreturn\naccept"), &[]), true),
        (files(&format!("{drop}{}", chain("policy accept")), &[]), false),
        (files(&format!("{drop}flush table inet f\n"), &[]), true),
        (files(&format!("{}flush table inet f\n", chain("drop")), &[]), false),
        (files(&format!("{drop}delete table inet f\n"), &[]), false),
        (files(&drop.replace("inet", "bridge"), &[]), false),
        (
            files(
                "add table f; add chain f i { type filter hook input priority 0; }; add rule ip f i drop\n",
                &[],
            ),
            true,
        ),
        (files(&format!("{}insert rule inet f i accept\n", chain("drop")), &[]), false),
        (deep(14), true),
        (deep(15), true),
        (deep(16), false),
        (deep(17), false),
    ];
    let is_judged = is_judged();
    for (texts, expected) in cases {
        assert_eq!(denies(&texts), expected, "{texts:?}");
        assert!(
            !is_judged || judged(&texts) == expected,
            "nft says otherwise: {texts:?} {:?}",
            listed(&texts)
        );
    }
}

#[test]
fn files_that_multiply_come_to_an_end() {
    let path = |n: usize| if n == 0 { MAIN.to_owned() } else { format!("/etc/{n}") };
    let twice = |n: usize| (path(n), format!("include \"{0}\"\ninclude \"{0}\"\n", n + 1));
    let texts: Vec<(String, String)> = (0..15).map(twice).chain([(path(15), String::new())]).collect();
    let files: MemoryFiles = texts.into_iter().chain([("/etc/passwd".to_owned(), String::new())]).collect();
    let report = audit(&files, &Profile::default());
    assert!(
        report.unknown.iter().any(|unknown| unknown.reason.contains("1000 files")),
        "{:?}",
        report.unknown
    );
}

/// Settings of a few files, most of which nft takes.
fn settings() -> impl Strategy<Value = Texts> {
    let rule = prop::sample::select(vec![
        "policy drop",
        "policy drop",
        "policy accept",
        "policy $p",
        "policy $q",
        "accept",
        "drop",
        "counter drop",
        "return",
        "tcp dport 22 accept",
        "tcp dport { 22,\n80 } drop",
        "tcp dport $s accept",
        "log prefix \"drop\"",
        "include \"part\"",
        "define q = \"drop\"",
        "redefine p = \"accept\"",
        "# drop",
    ]);
    let rules = prop::collection::vec(rule, 0..4).prop_map(|rules| chain(&rules.join("\n")));
    let line = prop::sample::select(vec![
        "define p = \"drop\"\n",
        "redefine p = \"accept\"\n",
        "redefine p = \"drop\"\n",
        "undefine p\n",
        "define q = $p\n",
        "define s = { 22, 80 }\n",
        "include \"d/*.nft\"\n",
        "include \"/etc/d/b.nft\"\n",
        "include \"none/*\"\n",
        "include \"none\"\n",
        "flush ruleset\n",
        "add table inet f\nflush table inet f\n",
        "add table inet f\ndelete table inet f\n",
        "add table inet f; add chain inet f i { type filter hook input priority 0; }; add rule inet f i drop\n",
    ]);
    let piece = prop_oneof![3 => rules, 2 => line.prop_map(str::to_owned)];
    let texts = prop::array::uniform3(prop::collection::vec(piece, 0..3))
        .prop_map(|texts| texts.map(|texts| texts.concat()));
    (texts, prop::sample::select(vec!["policy drop\n", "drop\n", "counter\n"])).prop_map(
        |([main, a, b], part)| {
            let defined = format!("define p = \"drop\"\ndefine s = 22\n{main}");
            // Half of what is included includes itself, which nft refuses.
            let b = b.replace("include \"d/*.nft\"\n", "").replace("include \"/etc/d/b.nft\"\n", "");
            let a = a.replace("include \"d/*.nft\"\n", "");
            [(MAIN, defined.as_str()), ("/etc/d/a.nft", &a), ("/etc/d/b.nft", &b), ("/etc/part", part)]
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into()
        },
    )
}

proptest! {
    /// Whatever stands in them, they are read to their end.
    #[test]
    fn any_settings(words in prop::collection::vec(prop::sample::select(vec![
        "table", "inet", "f", "chain", "i", "{", "}", ";", "\n", "\"", "#", "\\", "=", "$", "$p", "define", "p", "policy", "drop",
        "include \"x\"", "include", "add", "insert", "rule", "flush", "delete", "ruleset", "type", "hook", "input", "\u{e9}",
    ]), 0..60)) {
        let text = words.join(" ");
        let files = [("/etc/passwd", ""), (MAIN, text.as_str()), ("/etc/x", "policy drop }")].into_iter().collect::<MemoryFiles>();
        audit(&files, &Profile::default());
    }
}

#[test]
fn generated_settings_are_judged_as_nft_loads_them() {
    if !is_judged() {
        return;
    }
    let cases = std::env::var("PALISADE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    let mut runner = TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() });
    let reached = std::cell::Cell::new([0_u32; 3]);
    let run = runner.run(&settings(), |texts| {
        let list = listed(&texts);
        let expected =
            list.as_ref().is_some_and(|list| denies(&Texts::from([(MAIN.to_owned(), list.clone())])));
        let mut counts = reached.get();
        counts[usize::from(list.is_some()) + usize::from(expected)] += 1;
        reached.set(counts);
        prop_assert_eq!(denies(&texts), expected, "nft lists {:?} of {:#?}", list, texts);
        Ok(())
    });
    let [refused, open, denied] = reached.get();
    println!("{refused} refused, {open} open, {denied} denied");
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(cases < 100 || refused.min(open).min(denied) > 4, "{refused} {open} {denied}");
}
