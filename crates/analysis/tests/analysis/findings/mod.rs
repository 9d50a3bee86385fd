//! Findings: that each is made where it should be, and nowhere else.

mod differential;
mod endpoints;
mod exposed;
mod idle;
mod lenient;
mod real;
mod standing;
mod support;
