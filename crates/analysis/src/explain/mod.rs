//! Why one packet fares as it does, hop by hop, and what would have to change.
//!
//! [`explain`] follows a packet from its sender's interface over the network to its receiver's, as far as both are in the
//! estate, and tells of every rule list which rules were asked and which of their fields matched, as Network Watcher's
//! diagnostics do. [`remedies`] proposes the fewest changes of rules that turn the answer round; each is made on a copy and put
//! to the oracle before it is proposed.

mod journey;
mod list;
mod remedy;

pub use journey::{Hop, Journey, Place, explain, explain_alone};
pub use list::{Asked, Consulted, Standing};
pub use remedy::{Remedy, Step, remedies};
