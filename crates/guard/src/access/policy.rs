//! What a policy says: which ports are doors, who may ask for one, for how long, and whether somebody else must agree.

use palisade_model::ResourceId;
use palisade_net::{AddressSet, Prefix, ProtocolMatch};

use super::{AccessError, DOORS_MAX, LIMIT_MAX, LIMIT_MIN, MACHINES_MAX, PREFIXES_MAX};

/// A port that is closed unless a grant opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The port of the machine.
    pub port: u16,
    /// TCP, UDP, or both.
    pub protocol: ProtocolMatch,
    /// From where it may be asked for; empty means from anywhere.
    pub sources: Vec<Prefix>,
    /// Longest time that a request may ask for, in seconds.
    pub limit: u32,
    /// Whether somebody other than who asks must approve.
    pub needs_approval: bool,
}

impl Door {
    /// Whether it may be opened to all of these.
    pub(super) fn admits(&self, sources: &[Prefix]) -> bool {
        if self.sources.is_empty() {
            return true;
        }
        let own: AddressSet = self.sources.iter().copied().collect();
        let asked: AddressSet = sources.iter().copied().collect();
        asked.difference(&own).is_empty()
    }
}

/// A machine and its doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Id of the virtual machine.
    pub id: ResourceId,
    /// Its doors; a port has one for each protocol.
    pub doors: Vec<Door>,
}

impl Machine {
    /// The door of a port; of several, the first of `protocol`.
    pub fn door(&self, port: u16, protocol: Option<ProtocolMatch>) -> Option<&Door> {
        let is_asked = |door: &&Door| protocol.is_none_or(|asked| door.protocol == asked);
        self.doors.iter().filter(|door| door.port == port).find(is_asked)
    }
}

/// Doors of some machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The machines.
    machines: Vec<Machine>,
}

impl Policy {
    /// A policy.
    ///
    /// # Errors
    /// A limit is not kept, or something stands twice.
    pub fn new(machines: Vec<Machine>) -> Result<Self, AccessError> {
        if !(1..=MACHINES_MAX).contains(&machines.len()) {
            return Err(AccessError::count("virtual machines of a policy", machines.len(), 1, MACHINES_MAX));
        }
        for (index, machine) in machines.iter().enumerate() {
            if machines[..index].iter().any(|other| other.id == machine.id) {
                return Err(AccessError::MachineTwice(machine.id.clone()));
            }
            check(machine)?;
        }
        Ok(Self { machines })
    }

    /// The machines.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// A machine.
    pub fn machine(&self, id: &ResourceId) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.id == *id)
    }

    pub(super) fn door(
        &self,
        machine: &ResourceId,
        port: u16,
        protocol: Option<ProtocolMatch>,
    ) -> Result<&Door, AccessError> {
        let found = self.machine(machine).ok_or_else(|| AccessError::NoMachine(machine.clone()))?;
        found.door(port, protocol).ok_or_else(|| AccessError::NoDoor { machine: machine.clone(), port })
    }
}

fn check(machine: &Machine) -> Result<(), AccessError> {
    if !(1..=DOORS_MAX).contains(&machine.doors.len()) {
        return Err(AccessError::count("ports of a virtual machine", machine.doors.len(), 1, DOORS_MAX));
    }
    for (index, door) in machine.doors.iter().enumerate() {
        let port = door.port;
        if port == 0 {
            return Err(AccessError::PortZero);
        }
        if ![ProtocolMatch::TCP, ProtocolMatch::UDP, ProtocolMatch::Any].contains(&door.protocol) {
            return Err(AccessError::Protocol { port, protocol: door.protocol });
        }
        // `*` is both protocols, so that nothing stands beside it.
        let meets = |other: &Door| {
            let either = other.protocol == ProtocolMatch::Any || door.protocol == ProtocolMatch::Any;
            other.port == port && (either || other.protocol == door.protocol)
        };
        if machine.doors[..index].iter().any(meets) {
            return Err(AccessError::DoorTwice { machine: machine.id.clone(), port });
        }
        if !(LIMIT_MIN..=LIMIT_MAX).contains(&door.limit) {
            return Err(AccessError::Limit { port, seconds: door.limit });
        }
        if door.sources.len() > PREFIXES_MAX {
            return Err(AccessError::count("prefixes of a port", door.sources.len(), 0, PREFIXES_MAX));
        }
    }
    Ok(())
}
