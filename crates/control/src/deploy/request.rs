//! The body of a deployment, checked: what is to be deployed where, with which parameters.
//!
//! What this server does not do is refused here with the way out, before a template is looked at: the mode `Complete`, which deletes,
//! and links, which would have to be fetched.

use palisade_arm::json::{self, Document, Node};
use palisade_arm::template::{Deployment, DeploymentContext, Input, Level, Live, NoLinks, evaluate_live};
use palisade_model::ResourceId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ControlError;

/// Longest name of a deployment.
const NAME_LENGTH_MAX: usize = 64;

/// Where a deployment goes, as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The resource group or the subscription.
    pub scope: ResourceId,
    /// Name of the deployment.
    pub name: String,
    /// `tenant().tenantId`.
    pub tenant: String,
    /// `subscription().displayName`.
    pub subscription_name: String,
    /// Location of the group; at a subscription, and of a group that is not there yet, the body says it.
    pub location: Option<String>,
    /// Correlation id of the request.
    pub correlation: String,
}

/// A deployment that can be evaluated.
#[derive(Debug)]
pub struct Request {
    pub(super) place: Place,
    pub(super) template: Document,
    pub(super) parameters: Document,
    pub(super) context: DeploymentContext,
    /// `tags` of the deployment itself.
    pub(super) tags: Option<Value>,
    /// `properties.whatIfSettings.resultFormat` is `ResourceIdOnly`.
    pub(super) ids_only: bool,
    /// The group is not there yet: it is made in the transaction that stores the deployment.
    pub(super) founds: bool,
    template_value: Value,
    parameters_value: Value,
}

impl Request {
    /// Reads a body. `utc_now` is what the template's `utcNow()` answers.
    pub fn new(place: Place, body: &Value, utc_now: String) -> Result<Self, ControlError> {
        if place.name.len() > NAME_LENGTH_MAX || !is_valid_deployment_name(&place.name) {
            let message = format!(
                "Deployment name '{}' is invalid: it must have 1 to {NAME_LENGTH_MAX} letters, digits, '-', '.', '_', '(' or ')'.",
                place.name
            );
            return Err(ControlError::bad("InvalidDeploymentName", message));
        }
        let properties = body.get("properties").filter(|properties| properties.is_object());
        let properties = properties.ok_or_else(|| malformed("it has no 'properties'"))?;
        check_mode(properties)?;
        for link in ["templateLink", "parametersLink"] {
            if properties.get(link).is_some_and(|link| !link.is_null()) {
                let message = format!(
                    "'{link}' is not supported: this server fetches nothing. Send the template and the parameters themselves."
                );
                return Err(ControlError::bad("LinkedTemplateNotSupported", message)
                    .about(format!("properties.{link}")));
            }
        }
        let template_value = properties.get("template").filter(|template| template.is_object()).cloned();
        let template_value = template_value.ok_or_else(|| malformed("it has no 'properties.template'"))?;
        let parameters_value = given(properties.get("parameters"))?;
        let at_group = place.scope.segment("resourceGroups");
        check_level(&template_value, at_group.is_some())?;
        let founds = at_group.is_some() && place.location.is_none();
        let location = match (&place.location, body.get("location").and_then(Value::as_str)) {
            (Some(location), _) => location.clone(),
            (None, Some(location)) => location.to_owned(),
            (None, None) => return Err(without_location(at_group)),
        };
        let context = DeploymentContext {
            tenant_id: place.tenant.clone(),
            subscription_id: place.scope.segment("subscriptions").unwrap_or_default().to_owned(),
            subscription_name: Some(place.subscription_name.clone()),
            resource_group: at_group.unwrap_or_default().to_owned(),
            location,
            deployment_name: place.name.clone(),
            utc_now: Some(utc_now),
            guid_seed: Some(Uuid::new_v4().to_string()),
            ..DeploymentContext::default()
        };
        let settings = properties.get("whatIfSettings").and_then(|settings| settings.get("resultFormat"));
        let ids_only =
            settings.and_then(Value::as_str).is_some_and(|f| f.eq_ignore_ascii_case("ResourceIdOnly"));
        Ok(Self {
            template: document("template", &template_value)?,
            parameters: document("parameters", &json!({"parameters": parameters_value}))?,
            tags: body.get("tags").cloned(),
            place,
            context,
            ids_only,
            founds,
            template_value,
            parameters_value,
        })
    }

    /// Evaluates the template among what exists.
    pub(super) fn evaluate(&self, live: &dyn Live) -> Deployment {
        let parameters = [&self.parameters];
        let (template, context) = (&self.template, &self.context);
        evaluate_live(&Input { template, parameters: &parameters, context, links: &NoLinks }, live)
    }

    /// The group with the body that makes it.
    pub(super) fn group(&self) -> (ResourceId, Value) {
        (self.place.scope.clone(), json!({"location": self.context.location}))
    }

    /// The id of the deployment.
    pub fn id(&self) -> ResourceId {
        let Place { scope, name, .. } = &self.place;
        ResourceId::new(&format!("{scope}/providers/Microsoft.Resources/deployments/{name}"))
    }

    /// The template as it was sent.
    pub(super) const fn template_value(&self) -> &Value {
        &self.template_value
    }

    /// The parameters as Azure tells them afterwards: type and value, without the values of secure ones.
    pub(super) fn parameters_told(&self) -> Value {
        let declared = self.template.root.get("parameters").and_then(Node::as_object);
        let members = declared.map_or(&[][..], |object| object.members()).iter();
        let told = members.map(|member| {
            let kind = member.value.get("type").and_then(Node::as_str).unwrap_or_default();
            let mut told = json!({"type": capitalised(kind)});
            let given = self.parameters_value.as_object().into_iter().flatten();
            let mut given = given.filter(|(name, _)| name.eq_ignore_ascii_case(&member.key));
            let given = given.next().and_then(|(_, parameter)| parameter.get("value").cloned());
            let default =
                member.value.get("defaultValue").filter(|node| !is_expression(node)).map(Value::from);
            if let Some(value) = given.or(default).filter(|_| !is_secure(kind)) {
                told["value"] = value;
            }
            (member.key.clone(), told)
        });
        Value::Object(told.collect())
    }
}

/// Whether values of this type are never told.
pub(super) fn is_secure(kind: &str) -> bool {
    kind.to_ascii_lowercase().starts_with("secure")
}

/// A type of the template language as a deployment tells it: `String`, `SecureString`.
pub(super) fn capitalised(kind: &str) -> String {
    match kind.to_ascii_lowercase().as_str() {
        "securestring" => "SecureString".to_owned(),
        "secureobject" => "SecureObject".to_owned(),
        lower => {
            let mut letters = lower.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

fn is_expression(node: &Node) -> bool {
    node.as_str().is_some_and(|text| text.starts_with('['))
}

fn document(name: &str, value: &Value) -> Result<Document, ControlError> {
    json::parse_str(name, &value.to_string()).map_err(|error| {
        ControlError::bad("InvalidRequestContent", format!("The {name} cannot be read: {error}."))
    })
}

/// Said where neither the group nor the body has a location.
fn without_location(group: Option<&str>) -> ControlError {
    group.map_or_else(
        || {
            let message = "The 'location' property must be specified for a deployment at a subscription.";
            ControlError::bad("LocationRequired", message).about("location")
        },
        ControlError::group_not_found,
    )
}

/// The parameters: `{name: {value}}`, or a whole parameter file as clients send it at times.
fn given(parameters: Option<&Value>) -> Result<Value, ControlError> {
    let Some(given) = parameters.filter(|parameters| !parameters.is_null()) else { return Ok(json!({})) };
    let inner = given.get("parameters").filter(|_| given.get("$schema").is_some()).unwrap_or(given);
    if inner.is_object() { Ok(inner.clone()) } else { Err(malformed("'properties.parameters' is no object")) }
}

fn check_mode(properties: &Value) -> Result<(), ControlError> {
    let mode = properties.get("mode").and_then(Value::as_str).unwrap_or_default();
    if mode.eq_ignore_ascii_case("Incremental") {
        return Ok(());
    }
    let (code, message) = if mode.eq_ignore_ascii_case("Complete") {
        let message = "The mode 'Complete' is not supported: it would delete every resource of the group that the template \
                       does not name. Use 'Incremental', and delete resources by their own requests.";
        ("DeploymentModeNotSupported", message)
    } else {
        ("InvalidDeploymentMode", "The deployment has no valid 'properties.mode'. It must be 'Incremental'.")
    };
    Err(ControlError::bad(code, message).about("properties.mode"))
}

/// A template of a subscription cannot be deployed to a group, nor the other way round.
fn check_level(template: &Value, at_group: bool) -> Result<(), ControlError> {
    let level = palisade_arm::template::level(template.get("$schema").and_then(Value::as_str));
    let (expected, file) = if at_group {
        (Level::ResourceGroup, "deploymentTemplate.json")
    } else {
        (Level::Subscription, "subscriptionDeploymentTemplate.json")
    };
    if level == expected {
        return Ok(());
    }
    let message = format!(
        "Deployment template validation failed: the '$schema' of the template is not for this scope. It must end in '{file}#'."
    );
    Err(ControlError::bad("InvalidTemplate", message).about("properties.template"))
}

fn is_valid_deployment_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.()".contains(c);
    !name.is_empty() && name.chars().all(allowed) && !name.ends_with('.')
}

fn malformed(what: &str) -> ControlError {
    let message = format!("The request content was invalid and could not be deserialized: {what}.");
    ControlError::bad("InvalidRequestContent", message)
}
