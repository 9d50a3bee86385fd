//! One NIC as the kernel is given it, but for what only its host tells: interface, slot, limits.
//!
//! Everything comes from the estate. What it leaves open is refused before, or has its safe value here.

use std::net::Ipv6Addr;
use std::sync::Arc;

use palisade_abi::{arena, verdict::LAYERS};
use palisade_classify::enforce::{LayerBlob, PolicyBlobs};
use palisade_datapath::{Guards, LayerPolicy, NicPolicy, Throttle, Timeouts};
use palisade_model::limits::{THROTTLE_RATE_MAX, WORKING_SET_MAX};
use palisade_model::{EffectivePolicy, Estate, Mode, Nic, Pace};
use palisade_net::{AddressSet, Direction, Prefix};

use super::Windows;

/// The layers of both directions, which NICs with the same rules share.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    inbound: [Option<LayerPolicy>; LAYERS],
    outbound: [Option<LayerPolicy>; LAYERS],
}

impl Layers {
    /// The compiled rules of a policy.
    pub(super) fn of(policy: &EffectivePolicy, blobs: &PolicyBlobs) -> Self {
        Self {
            inbound: layers(policy, Direction::Inbound, &blobs.inbound),
            outbound: layers(policy, Direction::Outbound, &blobs.outbound),
        }
    }
}

fn layers(
    policy: &EffectivePolicy,
    direction: Direction,
    blobs: &[Option<LayerBlob>; LAYERS],
) -> [Option<LayerPolicy>; LAYERS] {
    blobs.each_ref().map(|blob| {
        let blob = blob.as_ref()?;
        Some(LayerPolicy {
            blob: Arc::clone(&blob.blob),
            name: counted_as(policy, direction, blob).into(),
            audit: blob.audit,
            flush: blob.flush,
        })
    })
}

/// Under what a list is counted: names of NSGs repeat between resource groups, their ids do not.
fn counted_as(policy: &EffectivePolicy, direction: Direction, blob: &LayerBlob) -> String {
    let mut named = policy.layers(direction).iter().filter(|layer| layer.name == blob.name);
    let id = named.find_map(|layer| layer.source.as_ref()).map(|id| id.as_str().to_ascii_lowercase());
    id.or_else(|| blob.name.clone()).unwrap_or_else(|| "the public address".to_owned())
}

/// A NIC with these rules.
pub(super) fn template(estate: &Estate, nic: &Nic, owned: AddressSet, layers: &Layers) -> NicPolicy {
    let Layers { inbound, outbound } = layers.clone();
    NicPolicy {
        inbound,
        outbound,
        audit: nic.mode() == Mode::Audit,
        loose_tcp: !nic.tcp_state_tracking(),
        guards: guards(nic),
        mac: nic.mac(),
        // An own address of the link is known by the hardware address; without one any such address may be.
        owned: if nic.mac().is_some() { owned } else { owned.union(&link_local()) },
        timeouts: estate.flow_timeout(nic).map_or_else(Timeouts::default, Timeouts::of_flow_timeout_minutes),
        ..NicPolicy::new(0, 0)
    }
}

// What is accepted of an estate is within what the kernel program takes.
const _: () = assert!(WORKING_SET_MAX as usize == arena::WORKING_SET_MAX);
const _: () = assert!(THROTTLE_RATE_MAX == Throttle::PER_SECOND_MAX);

/// The rate of new destinations. Like what denies it holds without end while the time is not known.
pub(super) fn throttle(throttle: &palisade_model::Throttle, windows: Windows) -> Throttle {
    let Pace { per_second, working_set } = throttle.pace();
    let until = throttle.until().filter(|_| windows == Windows::Judged).unwrap_or(arena::NEVER);
    Throttle { per_second, working_set, until }
}

/// The IPv6 addresses of a link.
fn link_local() -> AddressSet {
    let prefix = Prefix::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 64);
    prefix.into_iter().collect()
}

/// The guards that are on. Two of them compare with the hardware address, and need one.
fn guards(nic: &Nic) -> Guards {
    let (wanted, has_mac) = (nic.guards(), nic.mac().is_some());
    let all = [
        (wanted.mac && has_mac, Guards::MAC),
        (wanted.source, Guards::SOURCE),
        (wanted.neighbour && has_mac, Guards::NEIGHBOUR),
        (wanted.dhcp_server, Guards::DHCP_SERVER),
        (wanted.router, Guards::ROUTER),
        (wanted.ether_type, Guards::ETHER_TYPE),
        (wanted.vlan, Guards::VLAN),
        (wanted.platform, Guards::PLATFORM),
    ];
    all.into_iter().filter(|(on, _)| *on).fold(Guards::NONE, |guards, (_, guard)| guards | guard)
}

/// The guards that are off, by the words that turn them off, and why where no word did.
pub(super) fn guards_off(nic: &Nic) -> Vec<String> {
    let (wanted, has_mac) = (nic.guards(), nic.mac().is_some());
    let unknown = [(wanted.mac, "no-mac"), (wanted.neighbour, "no-neighbour")];
    let unknown = unknown.into_iter().filter(|(on, _)| *on && !has_mac);
    let because = unknown.map(|(_, word)| format!("{word} (the estate gives no macAddress)"));
    wanted.words_off().map(str::to_owned).chain(because).collect()
}
