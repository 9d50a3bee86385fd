//! Resource ids: how they are put together, and the functions that do so.

use super::context::{Level, Target, group_id, subscription_id};
use super::eval::Cx;
use super::functions::derived;
use super::problem::Fault;
use super::session::Evaluator;
use super::special::written;
use super::text::{Piece, Text};
use super::value::{Data, Type, Value};

/// `{scope}/providers/{namespace}/{type}/{name}/...`: types and names in turn.
///
/// More names than types, or fewer, happens only when a name has a hole that may hold a slash; what is left over
/// is put at the end.
pub(super) fn join(scope: &Text, kind: &str, names: &[Text]) -> Text {
    let mut segments = kind.split('/');
    let namespace = segments.next().unwrap_or_default();
    let mut parts = vec![Text::from(namespace)];
    let mut names = names.iter();
    for segment in segments {
        parts.push(segment.into());
        parts.extend(names.next().cloned());
    }
    parts.extend(names.cloned());
    Text::join([scope, &Text::from("/providers/"), &Text::join(&parts, "/")], "")
}

/// The id of a declared resource.
pub(super) fn declared(target: &Target, scope: Option<&Text>, kind: &str, name: &Text) -> Text {
    let names = name.split('/');
    if scope.is_none() && kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
        return group_id(&target.subscription, name);
    }
    match scope {
        None => join(&target.scope_id(), kind, &names),
        Some(scope) => join(&absolute(target, scope), kind, &names),
    }
}

/// A `scope` property as an id: `/` is the tenant, a relative one lies in the deployment's target.
fn absolute(target: &Target, scope: &Text) -> Text {
    let starts_with_slash = match scope.pieces().first() {
        Some(Piece::Known(head)) => head.starts_with('/'),
        Some(Piece::Unknown(_)) => true,
        None => false,
    };
    match (scope.known(), starts_with_slash) {
        (Some("/"), _) => Text::from(""),
        (_, true) => scope.clone(),
        (Some(known), false)
            if known.to_lowercase().starts_with("microsoft.management/managementgroups/") =>
        {
            Text::join([&Text::from("/providers/"), scope], "")
        }
        (_, false) => Text::join([&target.scope_id(), &Text::from("/providers/"), scope], ""),
    }
}

impl<'a> Evaluator<'a> {
    /// The value of a resource id function, or `None` when `key` is none.
    pub(super) fn id_function(
        &self,
        key: &str,
        args: &[Value],
        cx: Cx<'_, 'a>,
    ) -> Result<Option<Value>, Fault> {
        let target = &cx.frame.scope.target;
        let (name, scope, rest) = match key {
            "resourceid" => {
                let Some(at) = type_position(args, 2) else {
                    return no_type("resourceId", args, cx).map(Some);
                };
                ("resourceId", group_scope(target, &texts("resourceId", &args[..at])?), &args[at..])
            }
            "subscriptionresourceid" => {
                let Some(at) = type_position(args, 1) else {
                    return no_type("subscriptionResourceId", args, cx).map(Some);
                };
                let given = texts("subscriptionResourceId", &args[..at])?;
                let scope = subscription_id(given.first().unwrap_or(&target.subscription));
                ("subscriptionResourceId", scope, &args[at..])
            }
            "tenantresourceid" => ("tenantResourceId", Text::from(""), args),
            "managementgroupresourceid" => {
                let Some(at) = type_position(args, 1) else {
                    return no_type("managementGroupResourceId", args, cx).map(Some);
                };
                let given = texts("managementGroupResourceId", &args[..at])?;
                let group = given.first().unwrap_or(&target.management_group);
                let prefix = Text::from("/providers/Microsoft.Management/managementGroups/");
                ("managementGroupResourceId", Text::join([&prefix, group], ""), &args[at..])
            }
            "extensionresourceid" => {
                let Some((base, rest)) = args.split_first() else {
                    return Err(Fault::call(
                        "extensionResourceId",
                        "function requires at least 3 argument(s)",
                    ));
                };
                let base = texts("extensionResourceId", std::slice::from_ref(base))?.remove(0);
                ("extensionResourceId", base, rest)
            }
            _ => return Ok(None),
        };
        self.typed_id(name, &scope, rest, args, cx).map(Some)
    }

    /// `{scope}/providers/...` of a type and its names.
    fn typed_id(
        &self,
        function: &str,
        scope: &Text,
        rest: &[Value],
        args: &[Value],
        cx: Cx<'_, 'a>,
    ) -> Result<Value, Fault> {
        let Some((kind, names)) = rest.split_first() else {
            return Err(Fault::call(function, "function requires a resource type"));
        };
        let Some(kind) = kind.as_str() else { return no_type(function, args, cx) };
        let kind = kind.trim_matches('/');
        let names = texts(function, names)?;
        let wanted = kind.split('/').count() - 1;
        if wanted == 0 || names.len() != wanted {
            return Err(Fault::call(
                function,
                format!("the type '{kind}' requires '{wanted}' resource name argument(s)"),
            ));
        }
        let id = join(scope, kind, &names);
        self.budget.charge_text(id.len())?;
        Ok(Value::new(Data::from(id), cx.at))
    }
}

/// Where the resource type stands: the first of the leading arguments with a slash.
fn type_position(args: &[Value], last: usize) -> Option<usize> {
    args.iter().take(last + 1).position(|arg| {
        let pieces = arg.text().map(|text| text.pieces()).unwrap_or_default();
        pieces.iter().any(|piece| matches!(piece, Piece::Known(known) if known.contains('/')))
    })
}

/// No argument can be the type: a fault, unless one of them is not known.
fn no_type(function: &str, args: &[Value], cx: Cx<'_, '_>) -> Result<Value, Fault> {
    if args.iter().take(3).any(|arg| !arg.is_known()) {
        return Ok(derived(written(function, args), Some(Type::String), args, cx.at));
    }
    Err(Fault::call(
        function,
        "function requires a fully qualified resource type such as 'Microsoft.Network/virtualNetworks'",
    ))
}

/// The scope that `[subscription,] [group]` before a type mean.
fn group_scope(target: &Target, given: &[Text]) -> Text {
    match (given, target.level) {
        ([subscription, group], _) => group_id(subscription, group),
        ([group], Level::ResourceGroup | Level::Subscription) => group_id(&target.subscription, group),
        ([subscription], _) => subscription_id(subscription),
        _ => target.scope_id(),
    }
}

fn texts(function: &str, args: &[Value]) -> Result<Vec<Text>, Fault> {
    args.iter()
        .map(|arg| match &arg.data {
            Data::Int(value) => Ok(Text::from(value.to_string())),
            _ => arg.text().ok_or_else(|| {
                Fault::call(
                    function,
                    format!("all arguments must be strings, one is of type '{}'", arg.type_of().name()),
                )
            }),
        })
        .collect()
}
