//! A second machine on the host of a scene, at the same bridge.

use palisade_datapath::{Guards, NicKind, NicPolicy, Plane as _};
use palisade_net::Mac;

use crate::{
    namespace::Namespace,
    scene::{SLOT, Scene, Station},
    shared::link,
};

/// Who it is.
pub const NEIGHBOUR: Station = Station { v4: "10.0.0.5", v6: "fd00::5", mac: Mac([0x52, 0x54, 0, 0, 0, 5]) };

/// The machine, and its NIC without rules.
pub struct Neighbour {
    pub who: Station,
    pub space: Namespace,
    pub nic: NicPolicy,
}

impl Neighbour {
    /// Connects it and attaches to its interface `vm1`, which drops everything until there is a policy.
    pub fn join(scene: &mut Scene) -> Self {
        let space = Namespace::new();
        let who = NEIGHBOUR;
        scene.host.ip(&format!(
            "link add vm1 type veth peer name eth0 address {} netns {}\nlink set vm1 master br0 up",
            who.mac,
            space.path()
        ));
        space.ip(&format!(
            "link set eth0 up\naddress add {}/24 dev eth0\naddress add {}/64 dev eth0 nodad",
            who.v4, who.v6
        ));
        let nic = nic_of(link::index("vm1"));
        scene.datapath.attach(nic.ifindex, nic.kind).expect("the interface is there");
        Self { who, space, nic }
    }
}

/// The neighbour's NIC at an interface, guarded by everything.
pub fn nic_of(ifindex: u32) -> NicPolicy {
    NicPolicy {
        kind: NicKind::Direct,
        guards: Guards::ALL,
        mac: Some(NEIGHBOUR.mac),
        owned: NEIGHBOUR.addresses().into_iter().collect(),
        ..NicPolicy::new(ifindex, SLOT + 1)
    }
}
