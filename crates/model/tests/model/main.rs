//! What the model accepts, refuses and resolves.

mod arbitrary;
mod codes;
mod effective;
mod limits;
mod places;
mod rules;
mod support;
mod tags;
