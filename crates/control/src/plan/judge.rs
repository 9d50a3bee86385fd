//! What the model says of a change: rules, tags, addresses and groups are checked by the code that enforces them.
//!
//! Only the resource, its children and what they refer to are looked at. Of the members of a group one stands for all:
//! they are in one network, and that is what members owe each other.

use std::sync::Arc;

use palisade_arm::estate::{ReadResult, Stored, read_stored};
use palisade_model::spec::EstateSpec;
use palisade_model::{Estate, Problem, ResourceId, Severity};

use crate::kinds::{self, Target};
use crate::world::{Document, Part};
use crate::{ControlError, World};

/// Checks the resource of a target, with its children, as the draft has it.
pub(super) fn check(world: &World, target: &Target) -> Result<(), ControlError> {
    let mut scope = Scope::default();
    match target.top.segment("providers").is_some().then_some(target.kind.name) {
        Some(kinds::RULE) if scope.single_rule(world, target) => {}
        Some(kinds::NSG | kinds::RULE) => scope.nsg(world, &target.top),
        Some(kinds::NIC) => {
            scope.family(world, &target.id);
            scope.rules_about(world, &target.id);
            scope.endpoints_of(world, &target.id);
        }
        Some(
            kinds::NETWORK
            | kinds::SUBNET
            | kinds::PEERING
            | kinds::ASG
            | kinds::PREFIX_SET
            | kinds::PUBLIC_IP
            | kinds::ROUTE_TABLE
            | kinds::ROUTE,
        ) => scope.family(world, &target.top),
        Some(kinds::LOAD_BALANCER | kinds::NAT_RULE) => scope.balancer(world, &target.top),
        Some(kinds::ADMIN_COLLECTION) => scope.family(world, &target.id),
        Some(kinds::ADMIN_RULE) => scope.family(world, target.parent.as_ref().unwrap_or(&target.id)),
        _ => return Ok(()),
    }
    let mut spec = scope.read()?;
    if scope.is_partial {
        let reason = || "only the rules that concern the change are looked at".to_owned();
        spec.nsgs.iter_mut().for_each(|nsg| nsg.rules_unknown = Some(reason()));
    }
    let (_, problems) = Estate::validate(&spec, world.tags().clone());
    refuse(problems)
}

/// The estate of documents that were checked when they were stored.
pub(crate) fn estate_of(world: &World, parts: &[Part]) -> Result<Estate, ControlError> {
    let bodies: Vec<_> = parts.iter().map(|part| (part.document(), part.stored())).collect();
    let stored =
        bodies.iter().map(|(document, body)| Stored { id: document.id(), kind: document.kind().name, body });
    let (estate, problems) = Estate::validate(&spec(read_stored(stored))?, world.tags().clone());
    match estate {
        Some(estate) => Ok(estate),
        None => {
            refuse(problems)?;
            Err(ControlError::new(500, "InternalServerError", "the estate was refused without a reason"))
        }
    }
}

/// The documents that are judged together.
#[derive(Default)]
struct Scope<'a> {
    documents: Vec<&'a Document>,
    /// Whether an NSG has further rules, which are known to be right.
    is_partial: bool,
}

impl<'a> Scope<'a> {
    /// A resource and its children.
    fn family(&mut self, world: &'a World, id: &ResourceId) {
        self.documents.extend(world.document(id).map(|document| &**document));
        self.documents.extend(world.under(id).map(|document| &**document));
    }

    /// An NSG with all its rules, and the groups that they name.
    fn nsg(&mut self, world: &'a World, id: &ResourceId) {
        self.family(world, id);
        self.groups(world);
    }

    /// A rule alone, with those it could conflict with; false if the NSG must be looked at as a whole, because a
    /// limit is near or a rule is gone that a tag may be about.
    fn single_rule(&mut self, world: &'a World, target: &Target) -> bool {
        let (Some(nsg), Some(rule)) = (world.document(&target.top), world.document(&target.id)) else {
            return false;
        };
        let Some(book) = world.rulebook(&target.top).filter(|book| !book.is_beyond_limits()) else {
            return false;
        };
        self.is_partial = true;
        self.documents.push(nsg);
        self.documents.push(rule);
        let rivals = book.rivals(rule).filter_map(|rival| world.document(rival));
        self.documents.extend(rivals.map(|rival| &**rival));
        self.groups(world);
        true
    }

    /// Groups that the rules name, each with one member.
    fn groups(&mut self, world: &'a World) {
        let rules = self.documents.iter().filter(|document| document.kind().name == kinds::RULE);
        let groups: Vec<ResourceId> = rules.flat_map(|rule| rule.references()).cloned().collect();
        for group in groups {
            self.group(world, &group, None);
        }
    }

    fn group(&mut self, world: &'a World, group: &ResourceId, but: Option<&ResourceId>) {
        if self.has(group) {
            return;
        }
        self.documents.extend(world.document(group).map(|document| &**document));
        let is_other = |member: &&Arc<Document>| member.kind().name == kinds::NIC && Some(member.id()) != but;
        if let Some(member) = world.naming(group).find(is_other).filter(|member| !self.has(member.id())) {
            self.documents.push(member);
        }
    }

    /// Rules that name a group of this interface, and one other member of each group that they name: the interface
    /// must be in the network that those are in.
    fn rules_about(&mut self, world: &'a World, nic: &ResourceId) {
        let Some(interface) = world.document(nic) else { return };
        for group in interface.links().filter(|(_, link)| link.kinds == [kinds::ASG]).map(|(id, _)| id) {
            self.group(world, group, Some(nic));
            for rule in world.naming(group).filter(|document| document.kind().name == kinds::RULE) {
                if !self.has(rule.id()) {
                    self.documents.push(rule);
                }
                for other in rule.references() {
                    self.group(world, other, Some(nic));
                }
            }
        }
    }

    /// A load balancer with its inbound NAT rules, and the interfaces that name these.
    fn balancer(&mut self, world: &'a World, id: &ResourceId) {
        if self.has(id) {
            return;
        }
        self.family(world, id);
        for rule in world.children(id, "inboundNatRules") {
            for nic in world.naming(rule.id()).filter(|document| document.kind().name == kinds::NIC) {
                if !self.has(nic.id()) {
                    self.documents.push(nic);
                }
            }
        }
    }

    /// The load balancers whose inbound NAT rules an interface names: two rules must not lead to one of its ports.
    fn endpoints_of(&mut self, world: &'a World, nic: &ResourceId) {
        let Some(interface) = world.document(nic) else { return };
        let rules = interface.links().filter(|(_, link)| link.kinds == [kinds::NAT_RULE]).map(|(id, _)| id);
        let balancers: Vec<ResourceId> = rules.filter_map(ResourceId::parent).collect();
        balancers.iter().for_each(|balancer| self.balancer(world, balancer));
    }

    fn has(&self, id: &ResourceId) -> bool {
        self.documents.iter().any(|document| document.id() == id)
    }

    fn read(&self) -> Result<EstateSpec, ControlError> {
        let stored = self.documents.iter().map(|document| Stored {
            id: document.id(),
            kind: document.kind().name,
            body: document.body(),
        });
        spec(read_stored(stored))
    }
}

/// What was read, if all of it could be.
fn spec(read: ReadResult) -> Result<EstateSpec, ControlError> {
    let errors = read.problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    let errors = errors.map(|problem| ControlError::bad(code(problem.code.name()), problem.message));
    ControlError::several(errors.collect()).map_or(Ok(read.spec), Err)
}

/// The errors among the problems, in Azure's envelope.
fn refuse(problems: Vec<Problem>) -> Result<(), ControlError> {
    let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    let errors = errors.map(|problem| ControlError::bad(code(problem.code.name()), problem.message));
    ControlError::several(errors.collect()).map_or(Ok(()), Err)
}

/// The code on the wire: the mark of codes that Azure does not publish means nothing to clients.
fn code(name: &'static str) -> &'static str {
    name.strip_prefix("Pal").unwrap_or(name)
}
