//! Rules of which everything is known, at one moment: those that do not hold then, and those in audit, are not among them.

use palisade_model::{
    Access, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Mode, PlatformService, Ports,
};
use palisade_net::{AddressSet, Direction, PortSet, ProtocolMatch};

/// The rule lists of an interface, plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    inbound: Vec<PlainLayer>,
    outbound: Vec<PlainLayer>,
    services: Vec<(PlatformService, AddressSet)>,
}

/// A rule list, plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlainLayer {
    pub(crate) layer: Layer,
    pub(crate) name: Option<String>,
    pub(crate) rules: Vec<PlainRule>,
}

/// A rule, plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlainRule {
    pub(crate) path: String,
    pub(crate) access: Access,
    pub(crate) protocol: ProtocolMatch,
    pub(crate) source: AddressSet,
    pub(crate) source_ports: PortSet,
    pub(crate) destination: AddressSet,
    pub(crate) destination_ports: PortSet,
    pub(crate) services: Vec<PlatformService>,
}

/// Why rules cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Something of a rule is not known.
    #[error("the {part} of rule {rule} of {list} is not known (give the value)")]
    Rule {
        /// Name of the list.
        list: String,
        /// Path of the rule.
        rule: String,
        /// What is not known.
        part: &'static str,
    },
    /// Whether there is such a list is not known.
    #[error("whether {list} is attached and enforced is not known (give the value)")]
    List {
        /// Name of the list.
        list: String,
    },
}

impl Plain {
    /// What of a policy holds at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// If something of it is not known.
    pub fn of(policy: &EffectivePolicy, now: u32) -> Result<Self, ExportError> {
        let layers = |direction| -> Result<Vec<PlainLayer>, ExportError> {
            let enforced = policy.layers(direction).iter().filter(|layer| layer.mode == Mode::Enforce);
            enforced.map(|layer| plain_layer(layer, now)).collect()
        };
        Ok(Self {
            inbound: layers(Direction::Inbound)?,
            outbound: layers(Direction::Outbound)?,
            services: policy.services.clone(),
        })
    }

    pub(crate) fn layers(&self, direction: Direction) -> &[PlainLayer] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    pub(crate) fn services(&self) -> &[(PlatformService, AddressSet)] {
        &self.services
    }
}

fn plain_layer(layer: &EffectiveLayer, now: u32) -> Result<PlainLayer, ExportError> {
    let list = layer.name.clone().unwrap_or_else(|| "the public address".to_owned());
    if !layer.certain {
        return Err(ExportError::List { list });
    }
    let rules = layer.rules.iter().filter(|rule| rule.mode == Mode::Enforce);
    let rules = rules.filter(|rule| !rule.certain || rule.window.contains(now));
    let rules = rules.map(|rule| {
        plain_rule(rule).map_err(|part| ExportError::Rule {
            list: list.clone(),
            rule: rule.path.clone(),
            part,
        })
    });
    Ok(PlainLayer { layer: layer.layer, name: layer.name.clone(), rules: rules.collect::<Result<_, _>>()? })
}

fn plain_rule(rule: &EffectiveRule) -> Result<PlainRule, &'static str> {
    if !rule.certain {
        return Err("existence, window or priority");
    }
    Ok(PlainRule {
        path: rule.path.clone(),
        access: rule.access.known().ok_or("access")?,
        protocol: rule.protocol.known().ok_or("protocol")?,
        source: addresses(&rule.source).ok_or("source")?,
        source_ports: ports(&rule.source_ports).ok_or("source port")?,
        destination: addresses(&rule.destination).ok_or("destination")?,
        destination_ports: ports(&rule.destination_ports).ok_or("destination port")?,
        services: rule.services.clone(),
    })
}

fn addresses(addresses: &Addresses) -> Option<AddressSet> {
    (addresses.must() == addresses.may()).then(|| addresses.may().clone())
}

fn ports(ports: &Ports) -> Option<PortSet> {
    match ports {
        Ports::Known(set) => Some(set.clone()),
        Ports::Unknown => None,
    }
}
