//! Builds the kernel program: renders the shared header, finds a clang that knows arenas, compiles `bpf/`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use libbpf_cargo::SkeletonBuilder;
use palisade_abi::ABI_VERSION;

/// The first clang whose BPF backend has the arena's address space and the `may_goto` instruction.
const CLANG_MIN: u32 = 19;

/// What is compiled from the same source: for each kind of memory, and for the tests one whose layout has an older number.
const OBJECTS: [Object; 3] = [
    Object { name: "palisade", defines: &[], version: ABI_VERSION },
    Object { name: "palisade_array", defines: &["-DPLSD_MEMORY_ARRAY"], version: ABI_VERSION },
    Object { name: "palisade_older", defines: &[], version: ABI_VERSION - 1 },
];

struct Object {
    name: &'static str,
    defines: &'static [&'static str],
    /// Layout version that the program is told.
    version: u32,
}

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bpf");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-env-changed=PALISADE_CLANG");

    let clang = find_clang();
    let includes = system_includes(&clang);
    thread::scope(|scope| {
        for object in &OBJECTS {
            scope.spawn(|| compile(object, &sources, &out, &clang, &includes));
        }
    });
}

fn compile(object: &Object, sources: &Path, out: &Path, clang: &Path, includes: &[String]) {
    let headers = out.join(object.name);
    let header = palisade_abi::header::render(object.version);
    fs::create_dir_all(&headers).expect("OUT_DIR is writable");
    fs::write(headers.join("palisade_abi.h"), header).expect("OUT_DIR is writable");
    let mut args =
        vec!["-mcpu=v4".to_owned(), "-Wall".into(), "-Werror".into(), "-fno-strict-aliasing".into()];
    args.push(format!("-I{}", headers.display()));
    args.extend(object.defines.iter().map(|define| (*define).to_owned()));
    args.extend(includes.iter().map(|dir| format!("-idirafter{dir}")));
    SkeletonBuilder::new()
        .source(sources.join("palisade.bpf.c"))
        .obj(out.join(format!("{}.bpf.o", object.name)))
        .clang(clang)
        .clang_args(args)
        .build()
        .unwrap_or_else(|error| panic!("the kernel program {} does not compile: {error:?}", object.name));
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
