//! The reconcile loop of one host: makes the kernel agree with the estate.

pub mod interfaces;
pub mod load;
