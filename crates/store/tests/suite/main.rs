//! One suite for every store: what one does, the other does. Then what only one can suffer.

mod cases;
mod conformance;
mod support;
