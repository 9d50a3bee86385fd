//! The token service as clients see it.
