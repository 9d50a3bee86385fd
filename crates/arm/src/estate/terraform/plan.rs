//! The parts of a plan, joined by address: planned values, what is unknown of them, and the configuration.

use std::collections::HashMap;

use crate::estate::PlanSide;
use crate::json::Node;

/// Deepest nesting of modules that is followed.
const MODULE_DEPTH_MAX: usize = 16;

/// A plan.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) resources: Vec<Planned<'a>>,
    /// Configuration of each module by its address without indexes; the root's is "".
    pub(super) modules: HashMap<String, &'a Node>,
    /// `change` of each resource by address.
    changes: HashMap<&'a str, &'a Node>,
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
    /// Its id before the plan is applied, if it is there and the plan replaces it or changes it.
    pub(super) prior_id: Option<&'a str>,
    /// `after_unknown` of its change.
    pub(super) unknown: Option<&'a Node>,
    /// `expressions` of its configuration.
    pub(super) expressions: Option<&'a Node>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(root: &'a Node, side: PlanSide) -> Self {
        let mut plan = Self::default();
        let changes = items(root.get("resource_changes"));
        match side {
            PlanSide::Before => plan.read_before(root, changes),
            PlanSide::After => plan.read_after(root, changes),
        }
        plan
    }

    /// The state that the plan was made from, or what changes are changes of. The configuration is that of the plan, and says
    /// nothing of it.
    fn read_before(&mut self, root: &'a Node, changes: &'a [Node]) {
        let state = root.get("prior_state").and_then(|state| state.get("values"));
        match state.or_else(|| root.get("values")).and_then(|values| values.get("root_module")) {
            Some(module) => self.read_module(module, 0),
            // A deposed object is what an earlier replacement left over; its rules hold nowhere.
            None => {
                self.read_changes(changes.iter().filter(|change| change.get("deposed").is_none()), "before");
            }
        }
    }

    fn read_after(&mut self, root: &'a Node, changes: &'a [Node]) {
        if let Some(module) =
            root.get("configuration").and_then(|configuration| configuration.get("root_module"))
        {
            self.read_configuration(module, String::new(), 0);
        }
        let change = |node: &'a Node| Some((text(node, "address")?, node.get("change")?));
        let current = changes.iter().filter(|change| change.get("deposed").is_none());
        self.changes = current.filter_map(change).collect();
        let values = root.get("planned_values").or_else(|| root.get("values"));
        match values.and_then(|values| values.get("root_module")) {
            Some(module) => self.read_module(module, 0),
            None => self.read_changes(changes.iter(), "after"),
        }
    }

    fn read_changes(&mut self, changes: impl Iterator<Item = &'a Node>, side: &str) {
        for node in changes {
            if let Some(values) = node.get("change").and_then(|change| change.get(side)) {
                self.add(node, values);
            }
        }
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

    fn read_module(&mut self, module: &'a Node, depth: usize) {
        for resource in items(module.get("resources")) {
            if let Some(values) = resource.get("values") {
                self.add(resource, values);
            }
        }
        if depth < MODULE_DEPTH_MAX {
            for child in items(module.get("child_modules")) {
                self.read_module(child, depth + 1);
            }
        }
    }

    /// Adds a managed resource. Data sources describe what exists elsewhere; their values stand where they are used.
    fn add(&mut self, node: &'a Node, values: &'a Node) {
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
        let change = self.changes.get(address);
        let at = self.resources.len();
        self.by_name.entry((module.to_owned(), kind, name)).or_default().push(at);
        self.resources.push(Planned {
            address,
            module: module.to_owned(),
            kind,
            index: node.get("index").filter(|index| !index.is_null()),
            node,
            values,
            prior_id: change.and_then(|change| text(change.get("before")?, "id")),
            unknown: change.and_then(|change| change.get("after_unknown")),
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
