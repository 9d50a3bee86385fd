//! An estate to try policy on: network namespaces wired like a small cloud, or QEMU guests, and real packets.
//!
//! [`Lab`] builds and removes the namespaces, [`probe`] sends packets between them, [`matrix`] compares what came
//! through with what was predicted, [`tour`] tells three stories with them, and [`vm`] boots guests. All of these ask a
//! [`policy::Enforcer`] to enforce, a [`policy::Predictor`] to judge and a [`guard::Guard`] to watch; [`wiring`] makes these of the
//! real agent and server and of the oracle. It must not decide what a rule means, and it never touches an interface outside its own namespaces.

pub mod error;
pub mod estate;
pub mod guard;
pub mod hosts;
pub mod interrupt;
pub mod lab;
pub mod matrix;
pub mod netns;
pub mod policy;
pub mod probe;
pub mod show;
pub mod topology;
pub mod tour;
pub mod vm;
pub mod wiring;

pub use error::{LabError, Result};
pub use lab::Lab;
pub use netns::stage::Lifetime;
