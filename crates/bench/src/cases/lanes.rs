//! Every firewall that this machine can have, on the same rules.

use std::sync::Arc;

use super::Run;
use crate::{
    error::{Error, Result},
    fence::{Firewall, Rules},
    kernel::inject::Generator,
    lane::Lane,
    peers::Peer,
};

/// A lane for plain forwarding, for the datapath, and for each peer that can be had, in this order; and the peers that cannot.
pub(super) fn build(
    run: &mut Run<'_>,
    rules: &Rules,
    connections: &[(u32, u32)],
    generator: &Arc<Generator>,
) -> Result<(Vec<Lane>, Vec<Peer>)> {
    let build = |firewall| Lane::build(firewall, rules, connections, generator);
    let mut lanes = vec![build(Firewall::None)?, build(Firewall::Ours)?];
    let mut absent = Vec::new();
    for peer in Peer::ALL {
        match build(Firewall::Peer(peer)) {
            Ok(lane) => lanes.push(lane),
            // It is not installed, or the kernel lacks what it is made of and refuses it.
            Err(error @ (Error::PeerMissing { .. } | Error::Lab(_))) => {
                run.tell(&format!("without {}: {error}", peer.name()));
                absent.push(peer);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((lanes, absent))
}
