//! By what a NIC of the estate is recognised on a host, in a form that can be written to disk.
//!
//! It is kept there so that an agent that starts on a broken estate still closes the interfaces of machines that start
//! meanwhile. It knows nothing of interfaces: [`crate::interfaces::matching`] compares.

use std::fmt;

use palisade_model::{INTERFACE_TAG, Nic, ResourceId};
use palisade_net::Mac;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The resource id of a NIC. Compares without case, as Azure does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct NicId(ResourceId);

impl NicId {
    /// The id.
    pub const fn resource(&self) -> &ResourceId {
        &self.0
    }
}

impl From<String> for NicId {
    fn from(text: String) -> Self {
        Self(ResourceId::new(&text))
    }
}

impl From<NicId> for String {
    fn from(id: NicId) -> Self {
        id.0.as_str().to_owned()
    }
}

impl From<&ResourceId> for NicId {
    fn from(id: &ResourceId) -> Self {
        Self(id.clone())
    }
}

impl fmt::Display for NicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// By what a NIC is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Resource id.
    pub id: NicId,
    /// Name.
    pub name: String,
    /// Hardware address on the machine's side.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_mac",
        deserialize_with = "read_mac"
    )]
    pub mac: Option<Mac>,
    /// Value of the tag [`palisade_model::INTERFACE_TAG`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

impl From<&Nic> for Identity {
    fn from(nic: &Nic) -> Self {
        // Names of resource tags have no case in Azure; their values do.
        let tag = nic.tags().iter().find(|(name, _)| name.eq_ignore_ascii_case(INTERFACE_TAG));
        Self {
            id: nic.id().into(),
            name: nic.name().to_owned(),
            mac: nic.mac(),
            interface: tag.map(|(_, value)| value.clone()),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde gives the field by reference")]
pub(crate) fn write_mac<S: Serializer>(mac: &Option<Mac>, serializer: S) -> Result<S::Ok, S::Error> {
    mac.map(|mac| mac.to_string()).serialize(serializer)
}

fn read_mac<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mac>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}
