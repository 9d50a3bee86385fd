//! Measures the datapath beside what a user would pick instead, all in one run on one machine.
//!
//! Figures of different firewalls are compared only if they come from the same run, in rounds that alternate, so that what
//! else the machine does hits all alike; and only after every firewall was found to do what the rules say. Everything
//! happens in network namespaces of its own. It must not know what a good figure is but for the goals in its report.

mod conntrack;
mod error;
mod kernel;
pub mod lane;
mod ours;
pub mod peers;
pub mod rules;
mod site;
pub mod stats;

pub use error::{Error, Result};
pub use ours::Policy;
