//! End to end: real packets, real guests, the real binary
