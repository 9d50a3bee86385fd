//! Loads, attaches and publishes to the kernel program, and reads its counters
