//! The parts of a plan, joined by address: planned values, what is unknown of them, and the configuration.

use std::collections::HashMap;

use crate::json::Node;

/// Deepest nesting of modules that is followed.
const MODULE_DEPTH_MAX: usize = 16;

/// A plan.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) resources: Vec<Planned<'a>>,
    /// Configuration of each module by its address without indexes; the root's is "".
    pub(super) modules: HashMap<String, &'a Node>,
    /// Indexes into `resources` by module, type and name.
    by_name: HashMap<(String, &'a str, &'a str), Vec<usize>>,
}

/// One instance of a resource.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    /// Full address, such as `module.net.azurerm_subnet.web[0]`.
    pub(super) address: &'a str,
    /// Address of its module without the last dot; "" in the root.
    pub(super) module: String,
    /// Terraform's type.
    pub(super) kind: &'a str,
    /// `count` or `for_each` key, as JSON.
    pub(super) index: Option<&'a Node>,
    pub(super) node: &'a Node,
    pub(super) values: &'a Node,
    /// `after_unknown` of its change.
    pub(super) unknown: Option<&'a Node>,
    /// `expressions` of its configuration.
    pub(super) expressions: Option<&'a Node>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(root: &'a Node) -> Self {
        let mut plan = Self::default();
        if let Some(module) =
            root.get("configuration").and_then(|configuration| configuration.get("root_module"))
        {
            plan.read_configuration(module, String::new(), 0);
        }
        let changes = items(root.get("resource_changes"));
        let unknown: HashMap<&str, &Node> = changes
            .iter()
            .filter_map(|change| {
                Some((text(change, "address")?, change.get("change")?.get("after_unknown")?))
            })
            .collect();
        let values = root.get("planned_values").or_else(|| root.get("values"));
        match values.and_then(|values| values.get("root_module")) {
            Some(module) => plan.read_module(module, &unknown, 0),
            None => changes.iter().for_each(|change| {
                if let Some(after) = change.get("change").and_then(|change| change.get("after")) {
                    plan.add(change, after, &unknown);
                }
            }),
        }
        plan
    }

    fn read_configuration(&mut self, module: &'a Node, address: String, depth: usize) {
        if depth < MODULE_DEPTH_MAX {
            for (name, call) in members(module.get("module_calls")) {
                if let Some(inner) = call.get("module") {
                    self.read_configuration(inner, join(&address, &format!("module.{name}")), depth + 1);
                }
            }
        }
        self.modules.insert(address, module);
    }

    fn read_module(&mut self, module: &'a Node, unknown: &HashMap<&str, &'a Node>, depth: usize) {
        for resource in items(module.get("resources")) {
            if let Some(values) = resource.get("values") {
                self.add(resource, values, unknown);
            }
        }
        if depth < MODULE_DEPTH_MAX {
            for child in items(module.get("child_modules")) {
                self.read_module(child, unknown, depth + 1);
            }
        }
    }

    /// Adds a managed resource. Data sources describe what exists elsewhere; their values stand where they are used.
    fn add(&mut self, node: &'a Node, values: &'a Node, unknown: &HashMap<&str, &'a Node>) {
        let (Some(address), Some(kind), Some(name)) =
            (text(node, "address"), text(node, "type"), text(node, "name"))
        else {
            return;
        };
        if text(node, "mode") == Some("data") || values.as_object().is_none() {
            return;
        }
        let module =
            address.find(&format!("{kind}.{name}")).map_or("", |at| address[..at].trim_end_matches('.'));
        let configured =
            self.modules.get(&without_indexes(module)).and_then(|module| module.get("resources"));
        let configured = items(configured)
            .iter()
            .find(|resource| text(resource, "type") == Some(kind) && text(resource, "name") == Some(name));
        let at = self.resources.len();
        self.by_name.entry((module.to_owned(), kind, name)).or_default().push(at);
        self.resources.push(Planned {
            address,
            module: module.to_owned(),
            kind,
            index: node.get("index").filter(|index| !index.is_null()),
            node,
            values,
            unknown: unknown.get(address).copied(),
            expressions: configured.and_then(|resource| resource.get("expressions")),
        });
    }

    /// All instances of a resource.
    pub(super) fn instances(&self, module: &str, kind: &str, name: &str) -> Vec<&Planned<'a>> {
        let found = self.by_name.get(&(module.to_owned(), kind, name));
        found.into_iter().flatten().map(|&at| &self.resources[at]).collect()
    }
}

impl<'a> Planned<'a> {
    /// A known text of the planned values.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        text(self.values, key)
    }
}

pub(super) fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key)?.as_str()
}

pub(super) fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_array).unwrap_or_default()
}

pub(super) fn members(node: Option<&Node>) -> impl Iterator<Item = (&str, &Node)> {
    let members = node.and_then(Node::as_object).map(crate::json::Object::members).unwrap_or_default();
    members.iter().map(|member| (member.key.as_str(), &member.value))
}

/// An address inside a module.
pub(super) fn join(module: &str, rest: &str) -> String {
    if module.is_empty() { rest.to_owned() } else { format!("{module}.{rest}") }
}

/// `module.a["x"].module.b[0]` becomes `module.a.module.b`. Keys may hold anything but an unescaped quote.
pub(super) fn without_indexes(address: &str) -> String {
    let (mut plain, mut depth, mut quoted) = (String::new(), 0_usize, false);
    let mut characters = address.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if quoted => {
                characters.next();
            }
            '"' if depth > 0 => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}
