//! Clean states and the way back to them, with disks but without machines.

mod changes;
mod fixture;
mod reverts;
mod states;
