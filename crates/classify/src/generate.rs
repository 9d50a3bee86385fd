//! Rules and flows made from a seed: what tests and measurements feed to the classifier.
//!
//! [`policy`] makes rule lists of the shape that NSGs have, [`edge_rows`] rule lists that no one would write but that
//! reach every corner, [`layer`] makes either a layer of effective rules, [`flows`] first packets that lie on the edges of given rules, and [`estate`] whole estates. It must not use any other
//! source of randomness: the same seed gives the same rows and flows on every machine.

mod edges;
pub mod estate;
mod flow;
mod layer;
mod nsg;
mod random;

pub use edges::edge_rows;
pub use flow::{flows, moments};
pub use layer::layer;
pub use nsg::{Shape, policy};
pub use random::Random;
