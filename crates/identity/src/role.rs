//! Roles: which actions somebody may take, as patterns, and which of those he may not.
//!
//! The built-in ones have Azure's names, ids and lists of actions, so that `az role assignment create --role Reader` means
//! what it means there; what only Palisade has is left out of the contributor's. One role is ours: the security operator, who
//! sees everything, opens access for a time, quarantines and says what must hold, and cannot write an NSG.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::action::{is_action, matches};
use crate::principal::NAME_LENGTH_MAX;
use crate::scope::Scope;

/// Most patterns in one role.
const ACTIONS_MAX: usize = 200;

/// What a role allows: what is in `actions` and not in `not_actions`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// Patterns of actions.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Patterns of actions that are taken out again.
    #[serde(default)]
    pub not_actions: Vec<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its id, which is its name in Azure's words.
    pub id: Uuid,
    /// Its name, as people know it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it allows; one of them is enough.
    pub permissions: Vec<Permission>,
    /// Where it may be assigned.
    pub assignable_scopes: Vec<Scope>,
    /// Whether it comes with the program and cannot be changed.
    #[serde(default)]
    pub built_in: bool,
}

/// A role that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// It has no name, or too long a one.
    #[error("a role needs a name of 1 to {NAME_LENGTH_MAX} characters")]
    Name,
    /// It allows nothing, or lists too much.
    #[error("a role needs 1 to {ACTIONS_MAX} actions, and has {0}")]
    Count(usize),
    /// A pattern is none.
    #[error("\"{0}\" is not an action: write one such as Microsoft.Network/networkSecurityGroups/read")]
    Action(String),
    /// It may be assigned nowhere.
    #[error("a role needs at least one assignable scope")]
    Scope,
}

impl Permission {
    /// Whether it covers `action`.
    #[must_use]
    pub fn allows(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        any(&self.actions) && !any(&self.not_actions)
    }
}

impl Role {
    /// Whether it covers `action`.
    #[must_use]
    pub fn allows(&self, action: &str) -> bool {
        self.permissions.iter().any(|permission| permission.allows(action))
    }

    /// Whether it may be assigned at `scope`.
    #[must_use]
    pub fn is_assignable_at(&self, scope: &Scope) -> bool {
        self.assignable_scopes.iter().any(|assignable| assignable.contains(scope))
    }

    /// Whether it can be one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), RoleError> {
        if self.name.trim().is_empty() || self.name.chars().count() > NAME_LENGTH_MAX {
            return Err(RoleError::Name);
        }
        let allowed: usize = self.permissions.iter().map(|permission| permission.actions.len()).sum();
        let mut all = self.permissions.iter().flat_map(|one| one.actions.iter().chain(&one.not_actions));
        if allowed == 0 || all.clone().count() > ACTIONS_MAX {
            return Err(RoleError::Count(allowed));
        }
        if let Some(bad) = all.find(|pattern| !is_action(pattern)) {
            return Err(RoleError::Action(bad.clone()));
        }
        if self.assignable_scopes.is_empty() { Err(RoleError::Scope) } else { Ok(()) }
    }
}

/// Ids of the built-in roles.
pub mod id {
    use uuid::{Uuid, uuid};

    /// Everything, and giving it to others.
    pub const OWNER: Uuid = uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
    /// Everything but giving rights.
    pub const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");
    /// Reading.
    pub const READER: Uuid = uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7");
    /// Everything about networks.
    pub const NETWORK_CONTRIBUTOR: Uuid = uuid!("4d97b98b-1d4f-4787-a291-c67834d212e7");
    /// Giving rights to others.
    pub const USER_ACCESS_ADMINISTRATOR: Uuid = uuid!("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9");
    /// Seeing everything, opening access for a time, isolating a machine.
    pub const SECURITY_OPERATOR: Uuid = uuid!("6f0c1d2e-5b7a-4c39-9e84-2a1f7d3b8c60");
}

/// The roles that come with the program.
#[must_use]
pub fn built_in() -> &'static [Role] {
    static ROLES: LazyLock<Vec<Role>> = LazyLock::new(|| {
        vec![
            role(
                id::OWNER,
                "Owner",
                "Full access to all resources, including giving access to others.",
                &["*"],
                &[],
            ),
            role(
                id::CONTRIBUTOR,
                "Contributor",
                "Full access to all resources, without giving access to others.",
                &["*"],
                NOT_OF_CONTRIBUTORS,
            ),
            role(id::READER, "Reader", "Sees all resources and changes none.", &["*/read"], &[]),
            role(
                id::NETWORK_CONTRIBUTOR,
                "Network Contributor",
                "Manages networks, without access to them.",
                OF_NETWORK_CONTRIBUTORS,
                &[],
            ),
            role(
                id::USER_ACCESS_ADMINISTRATOR,
                "User Access Administrator",
                "Manages who has access to what.",
                &["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
                &[],
            ),
            role(
                id::SECURITY_OPERATOR,
                "Palisade Security Operator",
                "Sees everything, opens access for a time, quarantines machines, writes intents; writes no network security group.",
                OF_SECURITY_OPERATORS,
                &[],
            ),
        ]
    });
    &ROLES
}

const NOT_OF_CONTRIBUTORS: &[&str] = &[
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/write",
    "Microsoft.Blueprint/blueprintAssignments/delete",
    "Microsoft.Compute/galleries/share/action",
    "Microsoft.Purview/consents/write",
    "Microsoft.Purview/consents/delete",
    "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
    "Microsoft.Subscription/cancel/action",
    "Microsoft.Subscription/enable/action",
    // Ours: as with policies in Azure, what the estate is held to is not for whoever changes it.
    "Palisade.Network/intents/write",
    "Palisade.Network/intents/delete",
    "Palisade.Network/intents/override/action",
];

const OF_NETWORK_CONTRIBUTORS: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Network/*",
    "Microsoft.ResourceHealth/availabilityStatuses/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
    "Palisade.Network/intents/read",
    "Palisade.Network/preview/action",
];

/// Questions that Azure counts as actions because they are asked by POST are reading too.
const OF_SECURITY_OPERATORS: &[&str] = &[
    "*/read",
    "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
    "Microsoft.Network/networkInterfaces/effectiveRouteTable/action",
    "Microsoft.Network/networkWatchers/*/action",
    "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action",
    "Palisade.Access/grants/*",
    "Palisade.Access/tunnels/*",
    "Palisade.Guard/alerts/*",
    "Palisade.Network/intents/*",
    "Palisade.Network/lockouts/*",
    "Palisade.Network/preview/action",
    "Palisade.Network/quarantines/*",
    "Palisade.Network/throttles/*",
];

fn role(id: Uuid, name: &str, description: &str, actions: &[&str], not_actions: &[&str]) -> Role {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Role {
        id,
        name: name.to_owned(),
        description: description.to_owned(),
        permissions: vec![Permission { actions: owned(actions), not_actions: owned(not_actions) }],
        assignable_scopes: vec![Scope::root()],
        built_in: true,
    }
}
