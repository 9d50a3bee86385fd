//! One suite for every store: what one does, the other does. Then what only one can suffer.

mod adversity;
mod cases;
mod conformance;
mod copies;
mod crash;
mod disk;
mod ledger;
mod support;
mod tls;
