//! Spans judge as the whole estate does, and changes find their hosts.

#![expect(clippy::needless_pass_by_value, reason = "bodies are written where they are handed over")]

mod bindings;
mod cost;
mod estate;
mod spans;
