//! Who can reach whom on what: every pair of ends and every service at once, exact.
//!
//! An end is a class of interface addresses that no rule and no route tells apart, or a peer outside: the Internet, a tag that
//! rules name, addresses that are asked about. A packet passes if the sender's lists let it out and the receiver's let it in;
//! both are asked for each place where an end may be, and what the estate leaves open stays open. Whether the network takes
//! the packet there is a second answer ([`Route`]).
//!
//! ```
//! # use palisade_model::{Estate, TagCatalog, spec::EstateSpec};
//! use palisade_analysis::{Limits, matrix::{Options, Plan}};
//! # let (estate, _) = Estate::validate(&EstateSpec::default(), TagCatalog::default());
//! # let estate = estate.expect("an estate without resources is sound");
//! let plan = Plan::new(&estate, &Options::default(), 1_800_000_000, Limits::default())?;
//! let v4 = plan.family(palisade_net::Family::V4);
//! // Parts are independent: who has threads asks for them on several.
//! let rows = v4.rows(0..v4.row_count());
//! let matrix = v4.join(vec![rows]);
//! assert!(v4.nodes().iter().all(|node| node.is_outside()), "there is no interface");
//! # drop(matrix);
//! # Ok::<(), palisade_analysis::AnalysisError>(())
//! ```
//!
//! # How
//!
//! Addresses and services are cut into atoms by all lists at once, so that a list says of a pair of places a few words of
//! bits. Equal outcomes are one number; a cell is the conjunction of two. It is never asked twice what two rows share.
//! It must not do I/O, read a clock or start a thread: it hands out parts.

mod cells;
mod ends;
mod interner;
mod judge;
mod places;
mod plan;
mod routes;
mod row;
mod said;
mod services;

pub use cells::{Cell, Matrix, Part, ServiceSet};
pub use ends::{Member, Node};
pub use judge::{Judge, Outcome};
pub use plan::{FamilyPlan, Options, Plan, Rows};
pub use routes::{Doubt, Obstacle, Route};
pub use said::named;
