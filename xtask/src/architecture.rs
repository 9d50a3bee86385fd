//! The table that the workspace must agree with: layers and edges. Packages from elsewhere are in `externals`.
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
    Crate {
        name: "palisade-export",
        layer: 2,
        uses: &["palisade-model", "palisade-net"],
        tests_use: &["palisade-classify"],
    },
    Crate {
        name: "palisade-guest",
        layer: 2,
        uses: &["palisade-analysis", "palisade-model"],
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
    Crate { name: "palisade-passphrase", layer: 3, uses: &[], tests_use: &[] },
    Crate { name: "palisade-recovery", layer: 3, uses: &["palisade-guest"], tests_use: &[] },
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
            "palisade-control",
            "palisade-datapath",
            "palisade-flowlog",
            "palisade-guard",
            "palisade-guest",
            "palisade-flowstore",
            "palisade-lab",
            "palisade-model",
            "palisade-net",
            "palisade-recovery",
            "palisade-server",
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
            "palisade-guard",
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
            "palisade-export",
            "palisade-flowlog",
            "palisade-guard",
            "palisade-guest",
            "palisade-flowstore",
            "palisade-lab",
            "palisade-model",
            "palisade-net",
            "palisade-passphrase",
            "palisade-recovery",
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
            "palisade-export",
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
    // Tests hold what is exported against the oracle.
    Sideways { from: "palisade-export", to: "palisade-classify" },
    // Findings of a machine are told in the words of findings of an estate; a layer between them would be empty.
    Sideways { from: "palisade-guest", to: "palisade-analysis" },
    // A measurement stands in the lab's namespaces; they would be too little for a layer of their own.
    Sideways { from: "palisade-bench", to: "palisade-lab" },
    // What a server does with records is measured as it does it, in the process that measures.
    Sideways { from: "palisade-bench", to: "palisade-server" },
    // What is kept comes from readers of logs; readers alone are wanted without Parquet, and a layer between them would be empty.
    Sideways { from: "palisade-flowstore", to: "palisade-flowlog" },
];
