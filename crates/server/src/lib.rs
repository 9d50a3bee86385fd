//! The HTTPS front of the control plane: Azure Resource Manager, tokens, Palisade's own API, and the service of agents.
//!
//! It turns requests into actions and questions of [`palisade_control`] and answers into Azure's words. It decides who
//! may ask (`access`), how often and how much (`limits`). It must not know what a resource means, nor keep anything
//! that the store does not hold. Invariant: every refusal is in Azure's envelope, and no panic reaches a client.
//! Reference: docs/adr/0026-one-fallback-handler.md.

pub mod access;
pub mod alerts;
pub mod answers;
pub mod api;
pub mod app;
pub mod arm;
mod error;
mod event;
pub mod fleet;
mod flowing;
pub mod flows;
mod folder;
mod front;
mod headers;
mod housekeeping;
pub mod limits;
pub mod login;
mod notices;
mod options;
mod running;
mod serve;
mod standing;
mod timeline;
pub mod tls;
pub mod tunnels;
mod uses;

pub use app::{App, Site};
pub use error::{Answer, ApiError, envelope};
pub use event::{Event, Events};
pub use flows::FlowUpkeep;
pub use folder::{Folder, FolderError};
pub use headers::Ids;
pub use housekeeping::Housekeeping;
pub use notices::{NotifyOptions, Target, TargetError};
pub use options::{FlowsTo, ServerOptions, StoreSource};
pub use running::{Running, Server, StartError, reachable};
