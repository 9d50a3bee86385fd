//! Every action of the control plane.
