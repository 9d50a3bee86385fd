//! Builds the kernel program: renders the shared header, finds a clang that knows arenas, compiles `bpf/`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use libbpf_cargo::SkeletonBuilder;

/// The first clang whose BPF backend has the arena's address space and the `may_goto` instruction.
const CLANG_MIN: u32 = 19;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bpf");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-env-changed=PALISADE_CLANG");

    fs::write(out.join("palisade_abi.h"), palisade_abi::header::render()).expect("OUT_DIR is writable");
    let clang = find_clang();
    let mut args =
        vec!["-mcpu=v4".to_owned(), "-Wall".into(), "-Werror".into(), "-fno-strict-aliasing".into()];
    args.push(format!("-I{}", out.display()));
    args.extend(system_includes(&clang).into_iter().map(|dir| format!("-idirafter{dir}")));
    SkeletonBuilder::new()
        .source(sources.join("palisade.bpf.c"))
        .obj(out.join("palisade.bpf.o"))
        .clang(&clang)
        .clang_args(args)
        .build()
        .unwrap_or_else(|error| panic!("the kernel program does not compile: {error:?}"));
}

/// `PALISADE_CLANG`, `clang-19` or newer, or `clang` if it is new enough.
fn find_clang() -> PathBuf {
    let chosen = env::var("PALISADE_CLANG").ok();
    let numbered = (CLANG_MIN..CLANG_MIN + 6).map(|version| format!("clang-{version}"));
    let candidates: Vec<_> = match chosen {
        Some(one) => vec![one],
        None => numbered.chain(["clang".into()]).collect(),
    };
    candidates
        .iter()
        .find(|name| clang_version(name).is_some_and(|version| version >= CLANG_MIN))
        .map_or_else(
            || {
                panic!(
                    "no clang of version {CLANG_MIN} or newer (tried {}): install clang-19 (Debian 12: \
                     `apt-get install clang-19`), or name one in PALISADE_CLANG",
                    candidates.join(", ")
                )
            },
            PathBuf::from,
        )
}

fn clang_version(name: &str) -> Option<u32> {
    let output = Command::new(name).arg("-dumpversion").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().split('.').next()?.parse().ok()
}

/// Where this clang finds the C library's kernel headers on this host: `-target bpf` alone does not look there.
fn system_includes(clang: &Path) -> Vec<String> {
    let output = Command::new(clang)
        .args(["-E", "-v", "-x", "c", "/dev/null", "-o", "/dev/null"])
        .output()
        .expect("clang answered a moment ago");
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .skip_while(|line| !line.starts_with("#include <...>"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.trim().to_owned())
        .collect()
}
