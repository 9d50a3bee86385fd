//! What a caller publishes: the policy of each NIC of the host.

mod guards;
mod throttle;
mod timeouts;

use std::{collections::BTreeSet, sync::Arc};

use palisade_abi::{
    arena::{NICS_MAX, OWNED_RANGES_MAX, SLOT_UNKNOWN},
    flow::Direction,
    verdict::{LAYERS, Layer},
};
use palisade_classify::enforce::{DirectionBlobs, LayerBlob, PolicyBlobs};
use palisade_net::{AddressSet, Family, Mac};

pub use guards::Guards;
pub use throttle::Throttle;
pub use timeouts::Timeouts;

use crate::error::Error;

/// Bytes that the name of a layer has at most.
pub const LAYER_NAME_BYTES_MAX: usize = 1024;

/// How an interface shows its VM's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NicKind {
    /// Packets from the VM come in (tap, and the host's end of a veth pair).
    Direct,
    /// Packets from the VM go out (macvtap).
    Inverted,
}

/// One layer of one direction: a compiled rule list and how it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPolicy {
    /// The rules.
    pub blob: Arc<[u8]>,
    /// Under which name the rules are counted: NICs that share name, direction and rules share the counters.
    pub name: Arc<str>,
    /// What the layer denies passes all the same, and is counted and told.
    pub audit: bool,
    /// Flows that began under other rules are judged again when the layer changes; otherwise those that it once admitted
    /// go on.
    pub flush: bool,
}

impl LayerPolicy {
    /// An enforced layer whose changes leave existing flows alone.
    pub fn new(name: impl Into<Arc<str>>, blob: Arc<[u8]>) -> Self {
        Self { blob, name: name.into(), audit: false, flush: false }
    }
}

impl From<&LayerBlob> for LayerPolicy {
    /// The list as it was compiled, counted under its own name.
    fn from(list: &LayerBlob) -> Self {
        let name = list.name.as_deref().unwrap_or_default();
        Self { audit: list.audit, flush: list.flush, ..Self::new(name, Arc::clone(&list.blob)) }
    }
}

/// How much of the host one NIC may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Flows at one time.
    pub flows: u32,
    /// TCP connections at one time whose handshake is not over.
    pub half_open: u32,
}

impl Default for Limits {
    /// Azure's 500,000 flows; a twentieth of them half-open.
    fn default() -> Self {
        Self { flows: 500_000, half_open: 25_000 }
    }
}

/// The policy of one NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicPolicy {
    /// Interface number on this host.
    pub ifindex: u32,
    /// The NIC's number as long as the host knows it, from 1. Flows and counters belong to the slot: a slot that was
    /// out of the policy starts without flows.
    pub slot: u32,
    /// How the interface shows packets.
    pub kind: NicKind,
    /// Packets to the VM, in evaluation order: admin, subnet, NIC; `None` where the layer has no rules.
    pub inbound: [Option<LayerPolicy>; LAYERS],
    /// Packets from the VM, in evaluation order: admin, NIC, subnet.
    pub outbound: [Option<LayerPolicy>; LAYERS],
    /// Nothing of it is enforced; it is evaluated, counted and told.
    pub audit: bool,
    /// TCP packets of no known connection go by the rules, whatever their flags.
    pub loose_tcp: bool,
    /// What the VM may not do, whatever the rules say.
    pub guards: Guards,
    /// Hardware address, for [`Guards::MAC`].
    pub mac: Option<Mac>,
    /// Addresses that the NIC owns, for the guards that ask for them.
    pub owned: AddressSet,
    /// When flows end.
    pub timeouts: Timeouts,
    /// How many there may be.
    pub limits: Limits,
    /// How fast the VM may find new destinations; `None` for as fast as it likes.
    pub throttle: Option<Throttle>,
}

/// Evaluation order of the layers for packets to the VM.
pub const LAYERS_INBOUND: [Layer; LAYERS] = [Layer::Admin, Layer::Subnet, Layer::NetworkInterface];
/// Evaluation order of the layers for packets from the VM.
pub const LAYERS_OUTBOUND: [Layer; LAYERS] = [Layer::Admin, Layer::NetworkInterface, Layer::Subnet];

impl NicPolicy {
    /// A NIC without rules, whose VM is held to nothing but [`Guards::default`].
    pub fn new(ifindex: u32, slot: u32) -> Self {
        Self {
            ifindex,
            slot,
            kind: NicKind::Direct,
            inbound: [const { None }; LAYERS],
            outbound: [const { None }; LAYERS],
            audit: false,
            loose_tcp: false,
            guards: Guards::default(),
            mac: None,
            owned: AddressSet::empty(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            throttle: None,
        }
    }

    /// The NIC with these rules in place of those that it has.
    #[must_use]
    pub fn with_rules(self, rules: &PolicyBlobs) -> Self {
        let layers =
            |lists: &DirectionBlobs| lists.each_ref().map(|list| list.as_ref().map(LayerPolicy::from));
        Self { inbound: layers(&rules.inbound), outbound: layers(&rules.outbound), ..self }
    }

    /// Every layer of the NIC that has rules: direction, place in the evaluation, which layer it is.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (Direction, usize, Layer, &LayerPolicy)> {
        let directions = [
            (Direction::Inbound, LAYERS_INBOUND, &self.inbound),
            (Direction::Outbound, LAYERS_OUTBOUND, &self.outbound),
        ];
        directions.into_iter().flat_map(|(direction, order, layers)| {
            let present = layers.iter().enumerate();
            present
                .filter_map(move |(place, policy)| Some((direction, place, order[place], policy.as_ref()?)))
        })
    }
}

/// Checks that a policy's NICs are not too many, and each of them.
pub(crate) fn check(nics: &[NicPolicy], slot_max: u32) -> Result<(), Error> {
    if nics.len() > NICS_MAX {
        return Err(Error::TooManyNics { got: nics.len(), max: NICS_MAX });
    }
    let (mut slots, mut interfaces) = (BTreeSet::new(), BTreeSet::new());
    for nic in nics {
        if nic.slot == SLOT_UNKNOWN || nic.slot > slot_max || !slots.insert(nic.slot) {
            return Err(Error::BadNic { field: "slot", value: nic.slot, max: slot_max });
        }
        if nic.ifindex == 0 || nic.ifindex > i32::MAX as u32 || !interfaces.insert(nic.ifindex) {
            return Err(Error::BadNic { field: "interface", value: nic.ifindex, max: i32::MAX as u32 });
        }
        check_identity(nic)?;
    }
    Ok(())
}

fn check_identity(nic: &NicPolicy) -> Result<(), Error> {
    if nic.guards.contains(Guards::MAC) && nic.mac.is_none() {
        return Err(Error::NoMac { slot: nic.slot });
    }
    let ranges = [(Family::V4, nic.owned.v4().ranges().len()), (Family::V6, nic.owned.v6().ranges().len())];
    for (family, got) in ranges {
        if got > OWNED_RANGES_MAX {
            return Err(Error::TooManyRanges { slot: nic.slot, family, got, max: OWNED_RANGES_MAX });
        }
    }
    if let Some(throttle) = nic.throttle.filter(|throttle| !throttle.is_sound()) {
        return Err(Error::Throttle { slot: nic.slot, throttle });
    }
    let mut names = nic.layers().map(|(_, _, layer, policy)| (layer, policy.name.len()));
    match names.find(|(_, bytes)| *bytes > LAYER_NAME_BYTES_MAX) {
        Some((layer, bytes)) => {
            Err(Error::LayerName { slot: nic.slot, layer, bytes, max: LAYER_NAME_BYTES_MAX })
        }
        None => Ok(()),
    }
}
