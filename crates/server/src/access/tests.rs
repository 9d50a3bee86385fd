//! Rights at the gate.
