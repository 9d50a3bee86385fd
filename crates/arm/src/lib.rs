//! ARM JSON in: templates, `az` output, REST bodies and plans become what the model validates.
//!
//! [`json`] parses with places, [`template`] evaluates what a deployment would evaluate, [`estate`] maps resources to
//! [`palisade_model::spec`], [`write`] is the way back for security groups, [`flow`] that for flows, and [`service_tags`] reads Microsoft's tag files. It must not
//! judge rules (the model does), open files, or guess what only a deployment can tell.

pub mod estate;
pub mod flow;
pub mod json;
pub mod service_tags;
pub mod template;
pub mod write;
