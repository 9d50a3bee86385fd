//! Measures the datapath beside what a user would pick instead, the control plane, exact analysis, what watches flows, and the way
//! back to a clean state, each in one run on one machine.
//!
//! Figures of different firewalls are compared only if they come from the same run, in rounds that alternate, so that what
//! else the machine does hits all alike; and only after every firewall was found to do what the rules say. What
//! concerns packets happens in network namespaces of its own. It must not know what a good figure is but for the goals in its report.

pub mod analysis;
pub mod cases;
mod clock;
mod conntrack;
pub mod control;
mod error;
mod fence;
pub mod flows;
mod kernel;
mod lane;
mod load;
mod memory;
mod ours;
mod peers;
pub mod plot;
mod policy;
pub mod recovery;
pub mod report;
mod rules;
mod scratch;
mod site;
mod stats;
mod traffic;

pub use cases::{Group, Options, run};
pub use error::{Error, Result};
pub use report::Report;
