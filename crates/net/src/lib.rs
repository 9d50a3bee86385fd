//! Addresses, prefixes, port ranges, protocols and flows: values that cannot be wrong.
//!
//! Each type checks once, in its constructor, and everything above trusts it. It must not know what a rule is, do
//! I/O, or read a clock.

mod address_set;
mod flow;
mod mac;
mod number;
pub mod packet;
mod port;
mod prefix;
mod protocol;
mod range_set;

pub use address_set::{AddressSet, Family};
pub use flow::{Direction, Flow};
pub use mac::{Mac, MacError};
pub use number::Number;
pub use port::{PortError, PortRange, PortSet};
pub use prefix::{Prefix, PrefixError};
pub use protocol::{Protocol, ProtocolMatch};
pub use range_set::RangeSet;
