//! Where a template is deployed to, as far as the caller knows.
//!
//! The defaults are placeholders: ids and names made from them agree with one another inside one evaluation, and
//! only there. [`Target`] is the part that a nested deployment can change.

use super::text::Text;

/// What `subscription()`, `resourceGroup()`, `deployment()` and the like answer from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentContext {
    /// `tenant().tenantId`. Placeholder: the nil UUID.
    pub tenant_id: String,
    /// `subscription().subscriptionId`. Placeholder: the nil UUID.
    pub subscription_id: String,
    /// `subscription().displayName`; unknown when not given.
    pub subscription_name: Option<String>,
    /// `resourceGroup().name`. Placeholder: `resource-group`.
    pub resource_group: String,
    /// `resourceGroup().location` and `deployment().location`. Placeholder: `westeurope`.
    pub location: String,
    /// The management group of a template that is deployed to one. Placeholder: `management-group`.
    pub management_group: String,
    /// `deployment().name`. Placeholder: `main`.
    pub deployment_name: String,
    /// `deployment().properties.templateLink.uri`, and what relative links are relative to; unknown when not
    /// given.
    pub template_uri: Option<String>,
    /// What `utcNow()` answers, as `2026-01-31T12:00:00Z`; unknown when not given.
    pub utc_now: Option<String>,
    /// What `newGuid()` is made from in the default of a parameter, another text for each deployment; unknown when not given.
    pub guid_seed: Option<String>,
}

impl Default for DeploymentContext {
    fn default() -> Self {
        let nil = "00000000-0000-0000-0000-000000000000";
        Self {
            tenant_id: nil.to_owned(),
            subscription_id: nil.to_owned(),
            subscription_name: None,
            resource_group: "resource-group".to_owned(),
            location: "westeurope".to_owned(),
            management_group: "management-group".to_owned(),
            deployment_name: "main".to_owned(),
            template_uri: None,
            utc_now: None,
            guid_seed: None,
        }
    }
}

/// What kind of scope a deployment targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// A resource group; nearly all templates.
    ResourceGroup,
    /// A subscription.
    Subscription,
    /// A management group.
    ManagementGroup,
    /// The tenant.
    Tenant,
}

/// The level that a template's `$schema` is for.
pub fn level(schema: Option<&str>) -> Level {
    let schema = schema.unwrap_or_default().to_lowercase();
    if schema.contains("/subscriptiondeploymenttemplate.json") {
        Level::Subscription
    } else if schema.contains("/managementgroupdeploymenttemplate.json") {
        Level::ManagementGroup
    } else if schema.contains("/tenantdeploymenttemplate.json") {
        Level::Tenant
    } else {
        Level::ResourceGroup
    }
}

/// Where one deployment puts its resources.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) level: Level,
    pub(super) subscription: Text,
    pub(super) resource_group: Text,
    pub(super) management_group: Text,
}

impl Target {
    /// The target of the template a caller hands in: its `$schema` says which level it is for.
    pub(super) fn root(context: &DeploymentContext, schema: Option<&str>) -> Self {
        Self {
            level: level(schema),
            subscription: context.subscription_id.as_str().into(),
            resource_group: context.resource_group.as_str().into(),
            management_group: context.management_group.as_str().into(),
        }
    }

    /// The id of the scope itself; empty for the tenant.
    pub(super) fn scope_id(&self) -> Text {
        match self.level {
            Level::ResourceGroup => group_id(&self.subscription, &self.resource_group),
            Level::Subscription => subscription_id(&self.subscription),
            Level::ManagementGroup => {
                let prefix = Text::from("/providers/Microsoft.Management/managementGroups/");
                Text::join([&prefix, &self.management_group], "")
            }
            Level::Tenant => Text::from(""),
        }
    }
}

/// `/subscriptions/{subscription}`
pub(super) fn subscription_id(subscription: &Text) -> Text {
    Text::join([&Text::from("/subscriptions/"), subscription], "")
}

/// `/subscriptions/{subscription}/resourceGroups/{group}`
pub(super) fn group_id(subscription: &Text, group: &Text) -> Text {
    Text::join([&subscription_id(subscription), &Text::from("resourceGroups"), group], "/")
}
