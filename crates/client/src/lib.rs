//! A small client of a Palisade server: profiles, tokens, resources, operations.
//!
//! [`Profiles`] is the file that `palisade login` writes, [`login`] trades credentials for tokens, and a [`Client`] speaks
//! ARM and Palisade's own API with them, renewing what runs out. It is synchronous and knows no resource by name: bodies
//! are JSON, ids are text, and what the server answers is handed on with its code and its words. Certificates of the
//! server are judged against the authority in the profile and against nothing else, or against those that the machine trusts.
//! It must not interpret a resource, print, or keep anything but the file of profiles.

pub mod api;
mod arm;
mod client;
mod error;
pub mod login;
mod operation;
mod post;
mod profile;
mod transport;
pub mod tunnel;
mod watch;

pub use arm::{API_VERSION, Deleted, PAGES_MAX, Precondition, Written};
pub use client::Client;
pub use error::{ApiError, ClientError};
pub use operation::{Operation, Patience, Progress};
pub use post::Post;
pub use profile::{Bootstrap, Login, Profile, ProfileError, Profiles, Token};
pub use transport::{ANSWER_BYTES_MAX, Answer, Transport};
pub use watch::{Notice, Watch};
