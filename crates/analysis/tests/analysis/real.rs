//! Real templates.
