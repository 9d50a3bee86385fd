//! Spans judge as the whole estate does, and changes find their hosts.

mod bindings;
mod cost;
mod estate;
mod spans;
