//! The flow tables as lists, for status and tests. Reading them races with packets; an entry may be missed or old.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libbpf_rs::{MapCore, MapFlags, MapHandle};
use palisade_abi::{
    Pod,
    flow::{Direction, Flow, FlowKeyV4, FlowKeyV6, FlowState},
};

use crate::{
    error::{Context, Error},
    object::Maps,
};

/// One flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowEntry {
    /// Slot of the NIC.
    pub slot: u32,
    /// IANA protocol number.
    pub protocol: u8,
    /// Address and port behind the interface; for an ICMP query the port is its identifier.
    pub local: (IpAddr, u16),
    /// The other address and port.
    pub remote: (IpAddr, u16),
    /// Direction of the first packet.
    pub direction: Direction,
    /// How far it has come.
    pub state: FlowState,
    /// What the kernel keeps of it.
    pub value: Flow,
}

pub(crate) fn list(maps: &Maps) -> Result<Vec<FlowEntry>, Error> {
    let mut flows = entries(&maps.flows_v4, |key: FlowKeyV4, value| {
        let address = |word: u32| IpAddr::from(Ipv4Addr::from(word.to_ne_bytes()));
        let local = (address(key.local), key.local_port);
        let remote = (address(key.remote), key.remote_port);
        entry(key.slot, key.protocol, local, remote, value)
    })?;
    flows.extend(entries(&maps.flows_v6, |key: FlowKeyV6, value| {
        let local = (address_v6(&key.local), key.local_port);
        let remote = (address_v6(&key.remote), key.remote_port);
        entry(key.slot, key.protocol, local, remote, value)
    })?);
    Ok(flows)
}

fn address_v6(words: &[u32; 4]) -> IpAddr {
    let mut bytes = [0; 16];
    for (target, word) in bytes.chunks_exact_mut(4).zip(words) {
        target.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(bytes).into()
}

fn entry(
    slot: u32,
    protocol: u8,
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    value: Flow,
) -> Option<FlowEntry> {
    let direction = Direction::from_number(value.direction)?;
    let state = FlowState::from_number(value.state)?;
    Some(FlowEntry { slot, protocol, local, remote, direction, state, value })
}

fn entries<K: Pod>(
    map: &MapHandle,
    entry: impl Fn(K, Flow) -> Option<FlowEntry>,
) -> Result<Vec<FlowEntry>, Error> {
    let mut flows = Vec::new();
    for key in map.keys() {
        let value = map.lookup(&key, MapFlags::ANY).context(|| "read a flow".into())?;
        let parsed = K::read_from(&key).zip(value.as_deref().and_then(Flow::read_from));
        flows.extend(parsed.and_then(|(key, value)| entry(key, value)));
    }
    Ok(flows)
}
