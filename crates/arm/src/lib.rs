//! ARM JSON in: templates, az dumps and REST bodies become the model

pub mod estate;
pub mod json;
pub mod service_tags;
pub mod template;
