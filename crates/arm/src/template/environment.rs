//! `subscription()`, `resourceGroup()`, `deployment()` and the other functions that say where we are.
//!
//! What the context does not give is unknown, not invented: tags, display names, the template's address.

use std::sync::Arc;

use super::collection::Map;
use super::context::{Level, subscription_id};
use super::eval::Cx;
use super::functions::canonical;
use super::problem::Fault;
use super::scope::Place;
use super::session::Evaluator;
use super::special::{unknown, written};
use super::text::Text;
use super::unknown::Reason;
use super::value::{Data, Type, Value};

impl<'a> Evaluator<'a> {
    /// The value of an environment function, or `None` when `key` is none.
    pub(super) fn environment(
        &self,
        key: &str,
        args: &[Value],
        cx: Cx<'_, 'a>,
    ) -> Result<Option<Value>, Fault> {
        Ok(Some(match key {
            "subscription" => self.subscription(cx)?,
            "resourcegroup" => self.resource_group(cx)?,
            "deployment" => self.deployment(cx)?,
            "tenant" => self.tenant(cx)?,
            "managementgroup" => self.management_group(cx)?,
            "environment" => azure_cloud(cx)?,
            "newguid" => self.new_guid(cx)?,
            "utcnow" => self.utc_now(args, cx)?,
            "deployer" => unknown("deployer()".to_owned(), Some(Type::Object), service("deployer()"), cx),
            "pickzones" => live("pickZones", Type::Array, args, cx),
            "providers" => live("providers", Type::Object, args, cx),
            "externalinput" => live("externalInput", Type::Object, args, cx),
            _ => return Ok(None),
        }))
    }

    fn subscription(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let target = &cx.frame.scope.target;
        let name = match &self.context.subscription_name {
            Some(name) => text(name.as_str(), cx),
            None => unknown(
                "subscription().displayName".to_owned(),
                Some(Type::String),
                service("subscription().displayName"),
                cx,
            ),
        };
        object(
            cx,
            vec![
                ("id", text(subscription_id(&target.subscription), cx)),
                ("subscriptionId", text(target.subscription.clone(), cx)),
                ("tenantId", text(self.context.tenant_id.as_str(), cx)),
                ("displayName", name),
            ],
        )
    }

    fn resource_group(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let target = &cx.frame.scope.target;
        if target.level != Level::ResourceGroup {
            return Err(Fault::new(
                "The template function 'RESOURCEGROUP' is not expected at this location. Please see \
                 https://aka.ms/arm-functions for usage details",
            ));
        }
        let tags = "resourceGroup().tags";
        object(
            cx,
            vec![
                ("id", text(target.scope_id(), cx)),
                ("name", text(target.resource_group.clone(), cx)),
                ("type", text("Microsoft.Resources/resourceGroups", cx)),
                ("location", text(self.context.location.as_str(), cx)),
                ("tags", unknown(tags.to_owned(), Some(Type::Object), service(tags), cx)),
                ("properties", object(cx, vec![("provisioningState", text("Succeeded", cx))])?),
            ],
        )
    }

    fn deployment(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let scope = &cx.frame.scope;
        let uri = match &scope.uri {
            Some(uri) => Value { at: cx.at, ..uri.clone() },
            None => {
                let what = format!("{}deployment().properties.templateLink.uri", scope.qualifier());
                unknown(what.clone(), Some(Type::String), service(&what), cx)
            }
        };
        let template = self.template_of(cx)?;
        object(
            cx,
            vec![
                ("name", text(scope.name(), cx)),
                ("location", text(self.context.location.as_str(), cx)),
                (
                    "properties",
                    object(
                        cx,
                        vec![
                            ("templateLink", object(cx, vec![("uri", uri)])?),
                            ("template", template),
                            ("mode", text("Incremental", cx)),
                            ("provisioningState", text("Accepted", cx)),
                        ],
                    )?,
                ),
            ],
        )
    }

    /// The parts of the own template that templates read: its version and schema.
    fn template_of(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let template = cx.frame.scope.template;
        let members = ["$schema", "contentVersion"]
            .into_iter()
            .filter_map(|key| Some((key, text(template.get(key)?.as_str()?, cx))))
            .collect();
        object(cx, members)
    }

    fn tenant(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let id = self.context.tenant_id.as_str();
        object(cx, vec![("id", text(format!("/tenants/{id}"), cx)), ("tenantId", text(id, cx))])
    }

    fn management_group(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let name = cx.frame.scope.target.management_group.clone();
        let prefix = Text::from("/providers/Microsoft.Management/managementGroups/");
        object(
            cx,
            vec![
                ("id", text(Text::join([&prefix, &name], ""), cx)),
                ("name", text(name, cx)),
                ("type", text("/providers/Microsoft.Management/managementGroups", cx)),
            ],
        )
    }

    /// One GUID for each parameter, the same however often the template is evaluated. Elsewhere it has no place.
    fn new_guid(&self, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let (Some(seed), Place::Parameter(name)) = (&self.context.guid_seed, &*cx.frame.place) else {
            return Ok(made_now("newGuid()", cx));
        };
        let of = format!("{seed}-{}{}", cx.frame.scope.qualifier(), name.to_lowercase());
        Ok(Value::new(self.text(super::functions::name_uuid(&of)).map(Text::from)?, cx.at))
    }

    fn utc_now(&self, args: &[Value], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let pattern = match args {
            [] => "yyyyMMddTHHmmssZ",
            [pattern] => match pattern.as_str() {
                Some(pattern) => pattern,
                None => return Ok(made_now(&written("utcNow", args), cx)),
            },
            _ => return Err(Fault::call("utcNow", "function takes at most 1 argument")),
        };
        let now = self.context.utc_now.as_deref().and_then(super::functions::moment);
        match now.and_then(|now| super::functions::format_moment(now, pattern)) {
            Some(now) => Ok(Value::new(self.text(now).map(Text::from)?, cx.at)),
            None => Ok(made_now(&written("utcNow", args), cx)),
        }
    }
}

/// What a function makes anew at every deployment. Each parameter that uses it gets its own.
fn made_now(call: &str, cx: Cx<'_, '_>) -> Value {
    let expression = match &*cx.frame.place {
        Place::Parameter(name) => format!("{}parameters('{name}').{call}", cx.frame.scope.qualifier()),
        _ => call.to_owned(),
    };
    unknown(expression, Some(Type::String), Reason::MadeAtDeployment(call.to_owned()), cx)
}

fn service(what: &str) -> Reason {
    Reason::LiveService(what.to_owned())
}

fn live(name: &str, kind: Type, args: &[Value], cx: Cx<'_, '_>) -> Value {
    let args: Vec<String> = args.iter().map(canonical).collect();
    unknown(format!("{name}({})", args.join(", ")), Some(kind), service(&format!("{name}()")), cx)
}

pub(super) fn text(value: impl Into<Text>, cx: Cx<'_, '_>) -> Value {
    Value::new(Data::from(value.into()), cx.at)
}

pub(super) fn object(cx: Cx<'_, '_>, members: Vec<(&str, Value)>) -> Result<Value, Fault> {
    let members = members.into_iter().map(|(key, value)| (Arc::from(key), value)).collect();
    Ok(Value::new(Data::Object(Map::new(members)?), cx.at))
}

/// `environment()` of the public cloud.
fn azure_cloud(cx: Cx<'_, '_>) -> Result<Value, Fault> {
    let texts = |pairs: &[(&'static str, &str)]| -> Result<Value, Fault> {
        object(cx, pairs.iter().map(|(key, value)| (*key, text(*value, cx))).collect())
    };
    let audiences = ["https://management.core.windows.net/", "https://management.azure.com/"];
    let audiences = super::collection::List::new(audiences.iter().map(|a| text(*a, cx)).collect())?;
    let authentication = object(
        cx,
        vec![
            ("loginEndpoint", text("https://login.microsoftonline.com/", cx)),
            ("audiences", Value::new(Data::Array(audiences), cx.at)),
            ("tenant", text("common", cx)),
            ("identityProvider", text("AAD", cx)),
        ],
    )?;
    let suffixes = texts(&[
        ("acrLoginServer", ".azurecr.io"),
        ("azureDatalakeAnalyticsCatalogAndJob", "azuredatalakeanalytics.net"),
        ("azureDatalakeStoreFileSystem", "azuredatalakestore.net"),
        ("azureFrontDoorEndpointSuffix", "azurefd.net"),
        ("keyvaultDns", ".vault.azure.net"),
        ("sqlServerHostname", ".database.windows.net"),
        ("storage", "core.windows.net"),
    ])?;
    let mut members = vec![("authentication", authentication), ("suffixes", suffixes)];
    for (key, value) in [
        ("name", "AzureCloud"),
        ("gallery", "https://gallery.azure.com/"),
        ("graph", "https://graph.windows.net/"),
        ("portal", "https://portal.azure.com"),
        ("graphAudience", "https://graph.windows.net/"),
        ("activeDirectoryDataLake", "https://datalake.azure.net/"),
        ("batch", "https://batch.core.windows.net/"),
        ("media", "https://rest.media.azure.net"),
        ("resourceManager", "https://management.azure.com/"),
        ("sqlManagement", "https://management.core.windows.net:8443/"),
        (
            "vmImageAliasDoc",
            "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
        ),
    ] {
        members.push((key, text(value, cx)));
    }
    object(cx, members)
}
