//! Which traffic a write can judge otherwise at all, told from the rules that it changes.
//!
//! Of a packet that no changed rule is about, neither as it was nor as it is, the first rule that matches is the one that it was.
//! So an intent about other services is as it was, and is not proven again. Nor is one that forbids where packets can only come
//! to be dropped, or one that allows where they can only come to pass: all lists of NSGs must let a packet pass. Whatever is
//! not told by rules alone is anything. It must not look at addresses: what they mean depends on the interface.

use std::sync::Arc;

use palisade_analysis::intent::{Intent, Service, Shape};
use palisade_model::{Access, Maybe, Ports, Rule};
use palisade_net::{Direction, Protocol, ProtocolMatch};

use super::concerned::Changed;
use crate::world::{Document, Part};
use crate::{World, kinds};

/// The rules that a write changes; `None` if it changes something else too.
#[derive(Debug)]
pub(super) struct Touched(Option<Vec<Touch>>);

/// A rule as it was or is.
#[derive(Debug)]
struct Touch {
    rule: Rule,
    /// Whether some packets may pass because of it that did not.
    opens: bool,
    /// Whether some packets may be dropped because of it that passed.
    closes: bool,
}

impl Touched {
    /// Those of a write.
    pub(super) fn of(world: &World, changed: &[Changed]) -> Self {
        let versions = |one: &Changed| -> Option<Vec<Touch>> {
            let group = one.id.parent().filter(|_| one.kind() == Some(kinds::RULE))?;
            let group = world.document(&group)?;
            let side = |document: &Option<Arc<Document>>| match document {
                None => Some(None),
                Some(rule) => read(world, group, rule).map(Some),
            };
            let (before, after) = (side(&one.before)?, side(&one.after)?);
            let is_both = before.is_some() && after.is_some();
            let was = before.map(|rule| touch(rule, [Access::Deny, Access::Allow], is_both));
            let is = after.map(|rule| touch(rule, [Access::Allow, Access::Deny], is_both));
            Some(was.into_iter().chain(is).collect())
        };
        let all: Option<Vec<Vec<Touch>>> = changed.iter().map(versions).collect();
        Self(all.map(|rules| rules.into_iter().flatten().collect()))
    }

    /// Whether the write can newly break an intent.
    pub(super) fn concerns(&self, intent: &Intent) -> bool {
        let Some(touches) = &self.0 else { return true };
        touches.iter().any(|touch| {
            let breaks = match intent.shape {
                Shape::Allowed => touch.closes,
                Shape::Forbidden | Shape::Only => touch.opens,
            };
            let is_of = |service: &Service| may_be_of(&touch.rule, service);
            breaks && (intent.services.is_empty() || intent.services.iter().any(is_of))
        })
    }
}

/// A rule that comes opens if it allows and closes if it denies; one that goes, the other way round. One that changes may do both.
fn touch(rule: Rule, [opening, closing]: [Access; 2], is_both: bool) -> Touch {
    let may = |access: Access| is_both || rule.access().known().is_none_or(|known| known == access);
    let (opens, closes) = (may(opening), may(closing));
    Touch { rule, opens, closes }
}

/// A rule as its group has it, alone.
fn read(world: &World, group: &Arc<Document>, rule: &Arc<Document>) -> Option<Rule> {
    let parts = [group, rule].map(|document| Part::Whole(document.clone()));
    let estate = crate::plan::estate_of(world, &parts).ok()?;
    let rules = estate.nsgs().flat_map(|nsg| Direction::ALL.map(|way| nsg.rules(way)));
    let mut rules = rules.flatten().filter(|one| one.name().eq_ignore_ascii_case(rule.id().name()));
    rules.next().cloned()
}

/// Whether a rule matches packets of a service, so far as protocols and ports tell.
fn may_be_of(rule: &Rule, service: &Service) -> bool {
    let Maybe::Known(protocol) = rule.protocol() else { return true };
    let both = |one: &Protocol| protocol.matches(*one) && service.protocol.matches(*one);
    let mut common = (0..=u8::MAX).map(Protocol).filter(both).peekable();
    if common.peek().is_none() {
        return false;
    }
    // Only of protocols with ports a rule that names some matches those alone.
    let Ports::Known(ports) = &rule.destination().ports else { return true };
    let is_portless = common.any(|one| !one.has_ports());
    is_portless && (ports.is_full() || protocol != ProtocolMatch::Any) || ports.intersects(&service.ports)
}
