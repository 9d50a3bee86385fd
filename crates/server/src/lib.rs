//! The HTTPS front of the control plane.
