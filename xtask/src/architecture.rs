//! The table that the workspace must agree with: layers, edges, and packages from elsewhere.
//!
//! A change here is the reviewed change. What each crate is for stands in its manifest (`description`) and at
//! the top of its `lib.rs`; it is not repeated. Layers count upward from 0, arrows point down.

/// Crates up to this layer are pure: no file, socket, clock, thread, process or environment.
pub(crate) const PURE_LAYER_MAX: u8 = 2;

/// One crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: &'static str,
    pub(crate) layer: u8,
    /// Members its code (or its build script) uses.
    pub(crate) uses: &'static [&'static str],
    /// Members that only its tests use.
    pub(crate) tests_use: &'static [&'static str],
}

/// Every member of the workspace, lowest layer first.
pub(crate) const CRATES: &[Crate] = &[
    Crate { name: "palisade-net", layer: 0, uses: &[], tests_use: &[] },
    Crate { name: "palisade-abi", layer: 0, uses: &[], tests_use: &[] },
    Crate { name: "palisade-model", layer: 1, uses: &["palisade-net"], tests_use: &[] },
    Crate { name: "palisade-arm", layer: 1, uses: &["palisade-model", "palisade-net"], tests_use: &[] },
    Crate {
        name: "palisade-classify",
        layer: 2,
        uses: &["palisade-abi", "palisade-model", "palisade-net"],
        tests_use: &[],
    },
    Crate {
        name: "palisade-analysis",
        layer: 2,
        uses: &["palisade-arm", "palisade-classify", "palisade-model", "palisade-net"],
        tests_use: &[],
    },
    Crate { name: "palisade-guard", layer: 2, uses: &["palisade-model", "palisade-net"], tests_use: &[] },
    Crate {
        name: "palisade-flowlog",
        layer: 3,
        uses: &["palisade-guard", "palisade-model", "palisade-net"],
        tests_use: &[],
    },
    Crate {
        name: "palisade-flowstore",
        layer: 3,
        uses: &["palisade-flowlog", "palisade-model", "palisade-net"],
        tests_use: &[],
    },
    Crate { name: "palisade-store", layer: 3, uses: &[], tests_use: &[] },
    Crate {
        name: "palisade-datapath",
        layer: 3,
        uses: &["palisade-abi", "palisade-classify", "palisade-net"],
        tests_use: &["palisade-model"],
    },
    Crate { name: "palisade-sync", layer: 3, uses: &[], tests_use: &[] },
    Crate { name: "palisade-client", layer: 3, uses: &[], tests_use: &[] },
    Crate { name: "palisade-identity", layer: 3, uses: &[], tests_use: &[] },
    Crate {
        name: "palisade-agent",
        layer: 4,
        uses: &[
            "palisade-abi",
            "palisade-arm",
            "palisade-classify",
            "palisade-datapath",
            "palisade-model",
            "palisade-net",
            "palisade-sync",
        ],
        tests_use: &[],
    },
    Crate {
        name: "palisade-control",
        layer: 4,
        uses: &[
            "palisade-analysis",
            "palisade-arm",
            "palisade-classify",
            "palisade-guard",
            "palisade-model",
            "palisade-net",
            "palisade-store",
            "palisade-sync",
        ],
        tests_use: &[],
    },
    Crate {
        name: "palisade-lab",
        layer: 5,
        uses: &["palisade-agent", "palisade-classify", "palisade-client", "palisade-model", "palisade-net"],
        tests_use: &[],
    },
    Crate {
        name: "palisade-bench",
        layer: 5,
        uses: &[
            "palisade-abi",
            "palisade-agent",
            "palisade-analysis",
            "palisade-arm",
            "palisade-classify",
            "palisade-client",
            "palisade-datapath",
            "palisade-flowlog",
            "palisade-guard",
            "palisade-flowstore",
            "palisade-lab",
            "palisade-model",
            "palisade-net",
            "palisade-sync",
        ],
        tests_use: &[],
    },
    Crate {
        name: "palisade-server",
        layer: 5,
        uses: &[
            "palisade-arm",
            "palisade-client",
            "palisade-control",
            "palisade-flowstore",
            "palisade-identity",
            "palisade-model",
            "palisade-net",
            "palisade-store",
            "palisade-sync",
        ],
        tests_use: &["palisade-abi", "palisade-agent"],
    },
    Crate {
        name: "palisade-cli",
        layer: 6,
        uses: &[
            "palisade-abi",
            "palisade-agent",
            "palisade-analysis",
            "palisade-arm",
            "palisade-bench",
            "palisade-classify",
            "palisade-client",
            "palisade-control",
            "palisade-datapath",
            "palisade-flowlog",
            "palisade-guard",
            "palisade-flowstore",
            "palisade-lab",
            "palisade-model",
            "palisade-net",
            "palisade-server",
            "palisade-store",
            "palisade-sync",
        ],
        tests_use: &[],
    },
    Crate {
        name: "palisade-tests",
        layer: 7,
        uses: &[
            "palisade-abi",
            "palisade-agent",
            "palisade-classify",
            "palisade-datapath",
            "palisade-lab",
            "palisade-model",
            "palisade-net",
        ],
        tests_use: &[],
    },
    Crate { name: "xtask", layer: 7, uses: &[], tests_use: &[] },
];

/// An edge between two crates of one layer, and why it may be.
#[derive(Debug)]
pub(crate) struct Sideways {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// The only edges that do not go down.
pub(crate) const SIDEWAYS: &[Sideways] = &[
    // The reader of the outside language produces the model; both are values and text, and a layer between them
    // would be empty.
    Sideways { from: "palisade-arm", to: "palisade-model" },
    // What is claimed of rule lists is checked again by the oracle; both are pure, and a layer between them would be empty.
    Sideways { from: "palisade-analysis", to: "palisade-classify" },
    // A measurement stands in the lab's namespaces; they would be too little for a layer of their own.
    Sideways { from: "palisade-bench", to: "palisade-lab" },
    // What is kept comes from readers of logs; readers alone are wanted without Parquet, and a layer between them would be empty.
    Sideways { from: "palisade-flowstore", to: "palisade-flowlog" },
];

/// A package from elsewhere that members may name.
#[derive(Debug)]
pub(crate) struct External {
    pub(crate) name: &'static str,
    /// Why it is worth the trust.
    pub(crate) why: &'static str,
    /// Members whose code (or build script) uses it.
    pub(crate) code: &'static [&'static str],
    /// Members that only test with it.
    pub(crate) tests: &'static [&'static str],
}

/// Every package that a manifest of ours names.
pub(crate) const EXTERNALS: &[External] = &[
    External {
        name: "anyhow",
        why: "errors with context at the edge of a program, where nobody matches on them",
        code: &["palisade-cli", "palisade-lab", "palisade-tests", "xtask"],
        tests: &[],
    },
    External {
        name: "argon2",
        why: "hashes of passwords and secrets that a stolen store does not give away",
        code: &["palisade-identity"],
        tests: &[],
    },
    External { name: "arrow-array", why: "columns in memory", code: &["palisade-flowstore"], tests: &[] },
    External { name: "arrow-buffer", why: "bits of columns", code: &["palisade-flowstore"], tests: &[] },
    External { name: "arrow-schema", why: "types of columns", code: &["palisade-flowstore"], tests: &[] },
    External {
        name: "async-trait",
        why: "a trait of asynchronous functions that can be a trait object",
        code: &["palisade-control", "palisade-flowstore", "palisade-server", "palisade-store"],
        tests: &[],
    },
    External {
        name: "axum",
        why: "HTTP: requests, answers, and the few routes that are no resources",
        code: &["palisade-server"],
        tests: &[],
    },
    External {
        name: "axum-server",
        why: "the accept loop with TLS that can be renewed, and an orderly end",
        code: &["palisade-server"],
        tests: &[],
    },
    External {
        name: "base64",
        why: "the template functions base64() and dataUri()",
        code: &["palisade-arm", "palisade-client", "palisade-identity", "palisade-server", "palisade-sync"],
        tests: &[],
    },
    External {
        name: "bytes",
        why: "bodies of documents that many hosts share",
        code: &[
            "palisade-control",
            "palisade-flowstore",
            "palisade-server",
            "palisade-store",
            "palisade-sync",
        ],
        tests: &[],
    },
    External { name: "cargo_metadata", why: "what `cargo metadata` prints", code: &["xtask"], tests: &[] },
    External {
        name: "clap",
        why: "the command line: parsing, help and suggestions",
        code: &["palisade-cli"],
        tests: &[],
    },
    External {
        name: "clap_complete",
        why: "completions of the shells from the same definition",
        code: &["palisade-cli"],
        tests: &[],
    },
    External {
        name: "criterion",
        why: "benchmarks in user space with their spread",
        code: &[],
        tests: &["palisade-classify"],
    },
    External { name: "crc32fast", why: "tells which batch is torn", code: &["palisade-agent"], tests: &[] },
    External {
        name: "data-encoding",
        why: "hashes and serial numbers in hexadecimal digits",
        code: &[
            "palisade-agent",
            "palisade-control",
            "palisade-identity",
            "palisade-server",
            "palisade-sync",
        ],
        tests: &[],
    },
    External {
        name: "etcd-client",
        why: "speaks etcd (docs/adr/0023-one-trait-two-stores.md)",
        code: &["palisade-store"],
        tests: &["palisade-control"],
    },
    External {
        name: "etherparse",
        why: "a second opinion on packets, written by others, for the tests of our parser",
        code: &[],
        tests: &["palisade-net"],
    },
    External {
        name: "flate2",
        why: "unpacks flow logs that storage keeps compressed",
        code: &["palisade-flowlog"],
        tests: &[],
    },
    External {
        name: "futures-util",
        why: "makes a stream out of a function that is asked for the next item",
        code: &["palisade-flowstore", "palisade-server", "palisade-store"],
        tests: &[],
    },
    External {
        name: "getrandom",
        why: "the system's randomness",
        code: &["palisade-agent", "palisade-identity", "palisade-server"],
        tests: &[],
    },
    External { name: "http-body-util", why: "bodies of requests", code: &["palisade-flowstore"], tests: &[] },
    External {
        name: "hyper-util",
        why: "lets tonic speak over a TLS stream that trusts as we say",
        code: &["palisade-agent", "palisade-server"],
        tests: &[],
    },
    External {
        name: "jsonc-parser",
        why: "JSON with comments and trailing commas, as Azure takes it, with positions",
        code: &["palisade-arm"],
        tests: &[],
    },
    External {
        name: "jsonwebtoken",
        why: "signs and verifies tokens",
        code: &["palisade-identity"],
        tests: &["palisade-server"],
    },
    External {
        name: "libbpf-cargo",
        why: "compiles the kernel program (docs/adr/0002-kernel-program-in-c.md)",
        code: &["palisade-datapath"],
        tests: &[],
    },
    External {
        name: "libbpf-rs",
        why: "loads, attaches and pins the kernel program (docs/adr/0002-kernel-program-in-c.md)",
        code: &["palisade-bench", "palisade-datapath"],
        tests: &[],
    },
    External {
        name: "libc",
        why: "system calls and constants that nix does not wrap",
        code: &["palisade-datapath", "palisade-lab"],
        tests: &[],
    },
    External {
        name: "nix",
        why: "system calls with types instead of integers",
        code: &[
            "palisade-agent",
            "palisade-bench",
            "palisade-cli",
            "palisade-datapath",
            "palisade-lab",
            "palisade-tests",
        ],
        tests: &["palisade-agent", "palisade-datapath"],
    },
    External { name: "object_store", why: "S3 and Azure Blob", code: &["palisade-flowstore"], tests: &[] },
    External {
        name: "oxidd",
        why: "binary decision diagrams, a second opinion on the analysis that shares no idea with it",
        code: &[],
        tests: &["palisade-analysis"],
    },
    External {
        name: "p256",
        why: "makes the keys that jsonwebtoken signs with, which uses it too",
        code: &["palisade-identity"],
        tests: &[],
    },
    External { name: "parquet", why: "reads, writes Parquet", code: &["palisade-flowstore"], tests: &[] },
    External {
        name: "proc-macro2",
        why: "Rust's lexer, so that the scan for impure code reads tokens and not text",
        code: &["xtask"],
        tests: &[],
    },
    External {
        name: "proptest",
        why: "generated cases that shrink to the smallest one that fails",
        code: &[],
        tests: &[
            "palisade-arm",
            "palisade-classify",
            "palisade-control",
            "palisade-flowlog",
            "palisade-flowstore",
            "palisade-guard",
            "palisade-identity",
            "palisade-model",
            "palisade-net",
        ],
    },
    External {
        name: "prost",
        why: "messages of the protocol of hosts",
        code: &["palisade-agent", "palisade-sync"],
        tests: &[],
    },
    External {
        name: "rcgen",
        why: "certificates and requests for them",
        code: &["palisade-agent", "palisade-server"],
        tests: &["palisade-store", "palisade-sync"],
    },
    External {
        name: "rusqlite",
        why: "SQLite, bundled (docs/adr/0023-one-trait-two-stores.md)",
        code: &["palisade-store"],
        tests: &[],
    },
    External {
        name: "rustls",
        why: "TLS in Rust, with ring",
        code: &[
            "palisade-agent",
            "palisade-client",
            "palisade-flowstore",
            "palisade-server",
            "palisade-sync",
        ],
        tests: &[],
    },
    External {
        name: "serde",
        why: "records of JSON without handwritten parsing",
        code: &[
            "palisade-agent",
            "palisade-arm",
            "palisade-cli",
            "palisade-client",
            "palisade-control",
            "palisade-flowstore",
            "palisade-identity",
            "palisade-lab",
            "palisade-server",
            "palisade-store",
        ],
        tests: &[],
    },
    External {
        name: "serde_json",
        why: "the JSON that serde's records become",
        code: &[
            "palisade-agent",
            "palisade-arm",
            "palisade-bench",
            "palisade-cli",
            "palisade-client",
            "palisade-control",
            "palisade-flowstore",
            "palisade-flowlog",
            "palisade-identity",
            "palisade-lab",
            "palisade-server",
            "palisade-store",
            "palisade-tests",
        ],
        tests: &["palisade-analysis"],
    },
    External {
        name: "sha1",
        why: "the template function guid() is a UUID of version 5",
        code: &["palisade-arm"],
        tests: &[],
    },
    External {
        name: "sha2",
        why: "tells whether a policy or an estate is another one, where two must never look the same",
        code: &[
            "palisade-agent",
            "palisade-control",
            "palisade-identity",
            "palisade-server",
            "palisade-store",
            "palisade-sync",
        ],
        tests: &[],
    },
    External {
        name: "tempfile",
        why: "folders that are gone after a test, also after a failed one",
        code: &[],
        tests: &[
            "palisade-agent",
            "palisade-cli",
            "palisade-client",
            "palisade-control",
            "palisade-flowlog",
            "palisade-flowstore",
            "palisade-server",
            "palisade-store",
        ],
    },
    External {
        name: "thiserror",
        why: "error enums whose text stands beside the variant",
        code: &[
            "palisade-agent",
            "palisade-analysis",
            "palisade-arm",
            "palisade-bench",
            "palisade-classify",
            "palisade-client",
            "palisade-control",
            "palisade-datapath",
            "palisade-flowlog",
            "palisade-guard",
            "palisade-flowstore",
            "palisade-identity",
            "palisade-lab",
            "palisade-model",
            "palisade-net",
            "palisade-server",
            "palisade-store",
            "palisade-sync",
        ],
        tests: &[],
    },
    External {
        name: "tokio",
        why: "the loop under gRPC",
        code: &[
            "palisade-agent",
            "palisade-bench",
            "palisade-cli",
            "palisade-control",
            "palisade-flowstore",
            "palisade-server",
            "palisade-store",
        ],
        tests: &["palisade-server"],
    },
    External {
        name: "tokio-rustls",
        why: "TLS in that loop",
        code: &["palisade-agent", "palisade-server"],
        tests: &[],
    },
    External {
        name: "tokio-stream",
        why: "the trait of streams",
        code: &["palisade-agent", "palisade-control", "palisade-server", "palisade-store"],
        tests: &["palisade-agent"],
    },
    External {
        name: "tonic",
        why: "gRPC between a server and its agents",
        code: &["palisade-agent", "palisade-server", "palisade-sync"],
        tests: &["palisade-agent"],
    },
    External { name: "tonic-prost", why: "joins tonic and prost", code: &["palisade-sync"], tests: &[] },
    External {
        name: "tonic-prost-build",
        why: "compiles the protocol of hosts",
        code: &["palisade-sync"],
        tests: &[],
    },
    External {
        name: "tower",
        why: "a function as the service that tonic connects by",
        code: &["palisade-agent"],
        tests: &[],
    },
    External {
        name: "ureq",
        why: "a small synchronous HTTP client over rustls, for the command line and for tests",
        code: &["palisade-client", "palisade-flowstore"],
        tests: &["palisade-server"],
    },
    External {
        name: "utoipa",
        why: "the description of our own API from the types and handlers that it describes",
        code: &["palisade-server"],
        tests: &[],
    },
    External {
        name: "uuid",
        why: "ids that nobody else has",
        code: &["palisade-cli", "palisade-control", "palisade-identity", "palisade-server"],
        tests: &[],
    },
    External {
        name: "x509-parser",
        why: "reads when a certificate ends",
        code: &["palisade-agent", "palisade-server"],
        tests: &[],
    },
];
