//! The command against a server that has no hosts: what is written, listed and refused. Needs no root.

mod apply;
mod connect;
mod gate;
mod names;
mod site;
