//! Real sockets that load a site: connections that come and go, connections that stay, and datagrams with a known fate.
//!
//! A socket belongs to the namespace where it was made. Servers make theirs at once and answer from any thread; clients that
//! keep making new ones run inside. Nothing here knows which firewall is in the way.

pub mod connect;
pub mod datagrams;
pub mod steady;
