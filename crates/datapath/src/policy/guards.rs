//! Guards: what a VM may not do whatever the rules say. The set is the packet model's; its bits are the shared memory's.

use palisade_abi::arena::{
    GUARD_DHCP_SERVER, GUARD_ETHER_TYPE, GUARD_MAC, GUARD_NEIGHBOUR, GUARD_PLATFORM, GUARD_ROUTER,
    GUARD_SOURCE, GUARD_VLAN,
};
pub use palisade_net::packet::Guards;

const _: () = {
    assert!(Guards::MAC.bits() == GUARD_MAC);
    assert!(Guards::SOURCE.bits() == GUARD_SOURCE);
    assert!(Guards::NEIGHBOUR.bits() == GUARD_NEIGHBOUR);
    assert!(Guards::DHCP_SERVER.bits() == GUARD_DHCP_SERVER);
    assert!(Guards::ROUTER.bits() == GUARD_ROUTER);
    assert!(Guards::ETHER_TYPE.bits() == GUARD_ETHER_TYPE);
    assert!(Guards::VLAN.bits() == GUARD_VLAN);
    assert!(Guards::PLATFORM.bits() == GUARD_PLATFORM);
};
