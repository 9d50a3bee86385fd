//! What the model accepts, refuses and resolves.

mod arbitrary;
mod codes;
mod doors;
mod effective;
mod endpoints;
mod lenient;
mod limits;
mod places;
mod rules;
mod settings;
mod support;
mod tags;
mod times;
