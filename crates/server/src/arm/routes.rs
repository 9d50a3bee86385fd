//! The table of everything that Resource Manager serves here: a method, the shape of a path, the permission it needs.
//!
//! This is the only way to a handler: what stands in no row is not served, and the test that tries every row as every
//! role sees each one. The rows of resources are made from the table of kinds.

use std::sync::LazyLock;

use palisade_control::kinds::{
    self, ANSWER_POLICY, DEPLOYMENT, INTENTS, JIT, Kind, LOCK, LOCKOUT, NSG, TOP_LEVEL, TUNNEL,
};

use super::{access::APPROVE, path::Path, shape::Match, shape::Shape};
use crate::tunnels::CONNECT;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The shape of the path.
    pub shape: Shape,
    /// The permission at the path's scope; empty where being known is enough.
    pub action: String,
    pub(super) handler: Handler,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handler {
    Tenants,
    Subscriptions,
    Subscription,
    Locations,
    Providers,
    Provider,
    Groups,
    Resources,
    List(&'static Kind),
    Defaults,
    Default,
    Read,
    Exists,
    Put,
    Patch,
    Delete,
    Tags,
    TagsWrite,
    TagsDelete,
    Operation,
    OperationResult,
    ServiceTags,
    Usages,
    Ask(Question),
    Deploy(Deployments),
    Roles(Roles),
    Access(Access),
    Connect,
}

/// What is done with time-limited access, besides reading and writing policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    List,
    Initiate,
    Approve,
    Revoke,
    Extend,
}

/// What is asked by POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    EffectiveGroups,
    EffectiveRoutes,
    IpFlowVerify,
    NextHop,
    SecurityGroupView,
    Diagnostic,
    Topology,
    AddressAvailability,
}

/// What is done with deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deployments {
    Create,
    Validate,
    WhatIf,
    Operations,
    Status,
    Export,
}

/// What is done with roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Roles {
    Definitions,
    Definition,
    Define,
    Undefine,
    Assignments,
    Assignment,
    Assign,
    Unassign,
    Permissions,
}

const SUBSCRIPTION: &str = "/subscriptions/{subscription}";
const GROUP: &str = "/subscriptions/{subscription}/resourceGroups/{group}";
const GROUPS: &str = "/subscriptions/{subscription}/resourceGroups";

type Fixed = (&'static str, &'static str, &'static str, Handler);

/// Rows that are no kind's.
const FIXED: &[Fixed] = &[
    ("GET", "/tenants", "", Handler::Tenants),
    ("GET", "/subscriptions", "", Handler::Subscriptions),
    ("GET", SUBSCRIPTION, "", Handler::Subscription),
    ("GET", "{scope}/locations", "", Handler::Locations),
    ("GET", "{scope}/providers", "", Handler::Providers),
    ("GET", "{scope}/providers/{namespace}", "", Handler::Provider),
    (
        "POST",
        "{scope}/providers/{namespace}/register",
        "Microsoft.Resources/subscriptions/providers/register/action",
        Handler::Provider,
    ),
    ("GET", GROUPS, "Microsoft.Resources/subscriptions/resourceGroups/read", Handler::Groups),
    ("GET", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", Handler::Read),
    ("HEAD", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", Handler::Exists),
    ("PUT", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", Handler::Put),
    ("PATCH", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", Handler::Patch),
    ("DELETE", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/delete", Handler::Delete),
    (
        "POST",
        "/subscriptions/{subscription}/resourceGroups/{group}/exportTemplate",
        "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action",
        Handler::Deploy(Deployments::Export),
    ),
    (
        "GET",
        "/subscriptions/{subscription}/resources",
        "Microsoft.Resources/subscriptions/resources/read",
        Handler::Resources,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/resourceGroups/{group}/resources",
        "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
        Handler::Resources,
    ),
    (
        "GET",
        "{scope}/providers/Microsoft.Resources/tags/default",
        "Microsoft.Resources/tags/read",
        Handler::Tags,
    ),
    (
        "PUT",
        "{scope}/providers/Microsoft.Resources/tags/default",
        "Microsoft.Resources/tags/write",
        Handler::TagsWrite,
    ),
    (
        "PATCH",
        "{scope}/providers/Microsoft.Resources/tags/default",
        "Microsoft.Resources/tags/write",
        Handler::TagsWrite,
    ),
    (
        "DELETE",
        "{scope}/providers/Microsoft.Resources/tags/default",
        "Microsoft.Resources/tags/delete",
        Handler::TagsDelete,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/operations/{operation}",
        "",
        Handler::Operation,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/operationResults/{operation}",
        "",
        Handler::OperationResult,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/serviceTags",
        "Microsoft.Network/locations/serviceTags/read",
        Handler::ServiceTags,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/usages",
        "Microsoft.Network/locations/usages/read",
        Handler::Usages,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/{network}/CheckIPAddressAvailability",
        "Microsoft.Network/virtualNetworks/checkIpAddressAvailability/read",
        Handler::Ask(Question::AddressAvailability),
    ),
    (
        "GET",
        "{scope}/providers/Microsoft.Authorization/roleDefinitions",
        "Microsoft.Authorization/roleDefinitions/read",
        Handler::Roles(Roles::Definitions),
    ),
    (
        "GET",
        "{scope}/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        "Microsoft.Authorization/roleDefinitions/read",
        Handler::Roles(Roles::Definition),
    ),
    (
        "PUT",
        "{scope}/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        "Microsoft.Authorization/roleDefinitions/write",
        Handler::Roles(Roles::Define),
    ),
    (
        "DELETE",
        "{scope}/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        "Microsoft.Authorization/roleDefinitions/delete",
        Handler::Roles(Roles::Undefine),
    ),
    (
        "GET",
        "{scope}/providers/Microsoft.Authorization/roleAssignments",
        "Microsoft.Authorization/roleAssignments/read",
        Handler::Roles(Roles::Assignments),
    ),
    (
        "GET",
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment}",
        "Microsoft.Authorization/roleAssignments/read",
        Handler::Roles(Roles::Assignment),
    ),
    (
        "PUT",
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment}",
        "Microsoft.Authorization/roleAssignments/write",
        Handler::Roles(Roles::Assign),
    ),
    (
        "DELETE",
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment}",
        "Microsoft.Authorization/roleAssignments/delete",
        Handler::Roles(Roles::Unassign),
    ),
    ("GET", "{scope}/providers/Microsoft.Authorization/permissions", "", Handler::Roles(Roles::Permissions)),
];

const NICS: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/{nic}";
const MACHINES: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{machine}";
const WATCHERS: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/networkWatchers/{watcher}";

/// Questions: at what, their verb, who answers.
const QUESTIONS: &[(&str, &str, Question)] = &[
    (NICS, "effectiveNetworkSecurityGroups", Question::EffectiveGroups),
    (NICS, "effectiveRouteTable", Question::EffectiveRoutes),
    (WATCHERS, "ipFlowVerify", Question::IpFlowVerify),
    (WATCHERS, "nextHop", Question::NextHop),
    (WATCHERS, "securityGroupView", Question::SecurityGroupView),
    (WATCHERS, "networkConfigurationDiagnostic", Question::Diagnostic),
    (WATCHERS, "topology", Question::Topology),
];

/// Every row.
pub fn routes() -> &'static [Route] {
    static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
        let fixed =
            FIXED.iter().map(|(method, shape, action, handler)| row(method, shape, *action, *handler));
        let kinds =
            TOP_LEVEL.iter().flat_map(|kind| if kind.is(JIT) { policies(kind) } else { of_kind(kind) });
        fixed
            .chain(kinds)
            .chain(questions())
            .chain(defaults())
            .chain(deployments())
            .chain(tunnels())
            .collect()
    });
    &ROUTES
}

fn row(method: &'static str, shape: &str, action: impl Into<String>, handler: Handler) -> Route {
    Route { method, shape: Shape::new(shape), action: action.into(), handler }
}

/// Rows of a kind that is no child, and of all children below it.
fn of_kind(kind: &'static Kind) -> Vec<Route> {
    let tail = format!("/providers/{}", kind.name);
    // Some stand at any scope, everything else in a group.
    let anywhere = [LOCK, DEPLOYMENT, INTENTS, LOCKOUT, ANSWER_POLICY];
    let home = if anywhere.iter().any(|name| kind.is(name)) { "{scope}" } else { GROUP };
    let mut rows = vec![list(&format!("{home}{tail}"), kind)];
    if home == GROUP {
        rows.push(list(&format!("{SUBSCRIPTION}{tail}"), kind));
    }
    rows.extend(items(&format!("{home}{tail}/{{name}}"), kind));
    rows
}

/// Rows of policies for time-limited access, whose ids have a region in the middle, and of their requests.
fn policies(kind: &'static Kind) -> Vec<Route> {
    let lists = [GROUP, SUBSCRIPTION].into_iter().flat_map(|home| {
        ["", "/locations/{location}"].map(|region| {
            let shape = format!("{home}/providers/Microsoft.Security{region}/jitNetworkAccessPolicies");
            row("GET", &shape, format!("{JIT}/read"), Handler::Access(Access::List))
        })
    });
    let policy = format!(
        "{GROUP}/providers/Microsoft.Security/locations/{{location}}/jitNetworkAccessPolicies/{{name}}"
    );
    let initiate = format!("{JIT}/initiate/action");
    let request = |verb: &str| format!("{policy}/requests/{{request}}/{verb}");
    let verbs = [
        (format!("{policy}/initiate"), initiate.as_str(), Access::Initiate),
        (request("approve"), APPROVE, Access::Approve),
        (request("revoke"), &initiate, Access::Revoke),
        (request("extend"), &initiate, Access::Extend),
    ];
    let verbs = verbs.map(|(shape, action, what)| row("POST", &shape, action, Handler::Access(what)));
    lists.chain(items(&policy, kind)).chain(verbs).collect()
}

fn list(shape: &str, kind: &'static Kind) -> Route {
    row("GET", shape, format!("{}/read", kind.name), Handler::List(kind))
}

/// Rows of one resource of a kind, and of its children.
fn items(shape: &str, kind: &'static Kind) -> Vec<Route> {
    let own = |method, verb: &str, handler| row(method, shape, format!("{}/{verb}", kind.name), handler);
    let mut rows = vec![
        own("GET", "read", Handler::Read),
        own("HEAD", "read", Handler::Exists),
        own("DELETE", "delete", Handler::Delete),
    ];
    // Deployments are put by their engine, tunnels by who has them.
    if ![DEPLOYMENT, TUNNEL].iter().any(|name| kind.is(name)) {
        rows.push(own("PUT", "write", Handler::Put));
    }
    if kind.is_tagged && !kind.is(DEPLOYMENT) {
        rows.push(own("PATCH", "write", Handler::Patch));
    }
    for collection in kind.collections {
        let shape = format!("{shape}/{}", collection.segment);
        rows.push(list(&shape, collection.kind));
        rows.extend(items(&format!("{shape}/{{name}}"), collection.kind));
    }
    rows
}

fn questions() -> impl Iterator<Item = Route> {
    QUESTIONS.iter().map(|(at, verb, question)| {
        let at_type = if *at == NICS { kinds::NIC } else { kinds::WATCHER };
        row("POST", &format!("{at}/{verb}"), format!("{at_type}/{verb}/action"), Handler::Ask(*question))
    })
}

/// Default rules are part of their NSG and can only be read.
fn defaults() -> [Route; 2] {
    let shape = format!("{GROUP}/providers/{NSG}/{{nsg}}/defaultSecurityRules");
    let action = format!("{NSG}/defaultSecurityRules/read");
    [
        row("GET", &shape, action.clone(), Handler::Defaults),
        row("GET", &format!("{shape}/{{rule}}"), action, Handler::Default),
    ]
}

fn deployments() -> impl Iterator<Item = Route> {
    let shape = format!("{{scope}}/providers/{DEPLOYMENT}/{{deployment}}");
    let rows = [
        ("PUT", "", "write", Deployments::Create),
        ("POST", "/validate", "validate/action", Deployments::Validate),
        ("POST", "/whatIf", "whatIf/action", Deployments::WhatIf),
        ("GET", "/operations", "operations/read", Deployments::Operations),
        ("GET", "/operationStatuses/{operation}", "operationStatuses/read", Deployments::Status),
    ];
    rows.into_iter().map(move |(method, tail, verb, deployments)| {
        let action = format!("{DEPLOYMENT}/{verb}");
        row(method, &format!("{shape}{tail}"), action, Handler::Deploy(deployments))
    })
}

/// Tunnels are asked for at what they lead to, where the permission must hold too.
fn tunnels() -> [Route; 2] {
    [MACHINES, NICS].map(|at| row("POST", &format!("{at}/connect"), CONNECT, Handler::Connect))
}

/// What a path leads to.
pub(super) enum Found {
    /// A row.
    Route(&'static Route, Match),
    /// Rows, but none of this method; these they have.
    Methods(Vec<&'static str>),
    /// None.
    Nothing,
}

/// The row of a method and a path.
pub(super) fn find(method: &str, path: &Path) -> Found {
    let mut methods = Vec::new();
    for route in routes() {
        let Some(found) = route.shape.matches(path) else { continue };
        if route.method == method {
            return Found::Route(route, found);
        }
        methods.push(route.method);
    }
    if methods.is_empty() { Found::Nothing } else { Found::Methods(methods) }
}
