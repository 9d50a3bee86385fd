//! Network managers, as far as security admin rules need them.

use super::{
    ADMIN_COLLECTION, ADMIN_CONFIGURATION, ADMIN_RULE, Collection, Field, Kind, Link, MANAGER, NETWORK,
    NETWORK_GROUP, STATIC_MEMBER, SUBNET, Shape,
};

static GROUP_LINK: Link = Link { kinds: &[NETWORK_GROUP], is_local: false };
static MEMBER_LINK: Link = Link { kinds: &[NETWORK, SUBNET], is_local: false };

const STATE: Field = Field::read_only("provisioningState");
const GUID: Field = Field::read_only("resourceGuid");
const DESCRIPTION: Field = Field::new("description", Shape::Text);

/// Network managers.
pub(super) static MANAGERS: Kind = Kind {
    name: MANAGER,
    label: "Network manager",
    is_located: true,
    envelope: &[],
    properties: &[STATE, GUID, DESCRIPTION, Field::new("networkManagerScopeAccesses", Shape::Texts)],
    collections: &[
        Collection {
            segment: "networkGroups",
            kind: &NETWORK_GROUPS,
            is_inlined: false,
            is_kept_if_absent: false,
        },
        Collection {
            segment: "securityAdminConfigurations",
            kind: &CONFIGURATIONS,
            is_inlined: false,
            is_kept_if_absent: false,
        },
    ],
    is_tagged: true,
};

static NETWORK_GROUPS: Kind = Kind {
    name: NETWORK_GROUP,
    label: "Network group",
    is_located: false,
    envelope: &[],
    properties: &[STATE, GUID, DESCRIPTION, Field::new("memberType", Shape::Text)],
    collections: &[Collection {
        segment: "staticMembers",
        kind: &STATIC_MEMBERS,
        is_inlined: false,
        is_kept_if_absent: false,
    }],
    is_tagged: false,
};

static STATIC_MEMBERS: Kind = Kind {
    name: STATIC_MEMBER,
    label: "Static member",
    is_located: false,
    envelope: &[],
    properties: &[STATE, Field::read_only("region"), Field::new("resourceId", Shape::Id(&MEMBER_LINK))],
    collections: &[],
    is_tagged: false,
};

static CONFIGURATIONS: Kind = Kind {
    name: ADMIN_CONFIGURATION,
    label: "Security admin configuration",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        DESCRIPTION,
        Field::new("applyOnNetworkIntentPolicyBasedServices", Shape::Texts),
        Field::new("networkGroupAddressSpaceAggregationOption", Shape::Text),
    ],
    collections: &[Collection {
        segment: "ruleCollections",
        kind: &COLLECTIONS,
        is_inlined: false,
        is_kept_if_absent: false,
    }],
    is_tagged: false,
};

static COLLECTIONS: Kind = Kind {
    name: ADMIN_COLLECTION,
    label: "Security admin rule collection",
    is_located: false,
    envelope: &[],
    properties: &[
        STATE,
        GUID,
        DESCRIPTION,
        Field::new(
            "appliesToGroups",
            Shape::Objects(&[Field::new("networkGroupId", Shape::Id(&GROUP_LINK))]),
        ),
    ],
    collections: &[Collection {
        segment: "rules",
        kind: &RULES,
        is_inlined: false,
        is_kept_if_absent: false,
    }],
    is_tagged: false,
};

const ADDRESSES: Shape =
    Shape::Objects(&[Field::new("addressPrefix", Shape::Text), Field::new("addressPrefixType", Shape::Text)]);

static RULES: Kind = Kind {
    name: ADMIN_RULE,
    label: "Security admin rule",
    is_located: false,
    envelope: &[Field::new("kind", Shape::Text)],
    properties: &[
        STATE,
        GUID,
        DESCRIPTION,
        Field::new("protocol", Shape::Text),
        Field::new("sources", ADDRESSES),
        Field::new("destinations", ADDRESSES),
        Field::new("sourcePortRanges", Shape::Texts),
        Field::new("destinationPortRanges", Shape::Texts),
        Field::new("access", Shape::Text),
        Field::new("priority", Shape::Integer),
        Field::new("direction", Shape::Text),
    ],
    collections: &[],
    is_tagged: false,
};
