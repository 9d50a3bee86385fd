//! A record while it is read: flows, and who logged them as far as that is known.
//!
//! What surrounds flows may stand behind them in the file, so a record's flows wait until it ends. Names that stand further out
//! hold for all flows inside that have none of their own.

use palisade_model::{FlowLogFormat, FlowOrigin, LoggedDecision, ResourceId};
use palisade_net::Mac;

use crate::tuple::Tuple;

/// Id that a log gives where no list of rules decided.
const NO_LIST: &str = "00000000-0000-0000-0000-000000000000";
/// The same where encryption decided, for lists and rules.
const UNSPECIFIED: &str = "unspecified";
/// The platform's own rules.
const PLATFORM_RULE: &str = "PlatformRule";

/// Names around flows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) mac: Option<Mac>,
    pub(crate) target: Option<String>,
    pub(crate) nsg: Option<String>,
    /// The list as virtual network flow logs name it.
    pub(crate) list: Option<String>,
    pub(crate) rule: Option<String>,
}

impl Names {
    pub(crate) fn fill_from(&mut self, outer: &Self) {
        let text = |inner: &mut Option<String>, outer: &Option<String>| {
            if inner.is_none() {
                inner.clone_from(outer);
            }
        };
        self.mac = self.mac.or(outer.mac);
        text(&mut self.target, &outer.target);
        text(&mut self.nsg, &outer.nsg);
        text(&mut self.list, &outer.list);
        text(&mut self.rule, &outer.rule);
    }

    /// Whether something other than rules decided.
    fn is_elsewhere(&self) -> bool {
        let is = |name: &Option<String>, words: &[&str]| {
            name.as_deref().is_some_and(|name| words.iter().any(|word| name.eq_ignore_ascii_case(word)))
        };
        is(&self.list, &[NO_LIST, UNSPECIFIED]) || is(&self.rule, &[PLATFORM_RULE, UNSPECIFIED])
    }

    pub(crate) fn origin(&self, format: FlowLogFormat) -> FlowOrigin {
        let id = |text: &Option<String>| text.as_deref().map(ResourceId::new);
        let nsg = if self.is_elsewhere() { None } else { id(&self.list).or_else(|| id(&self.nsg)) };
        FlowOrigin {
            format,
            mac: self.mac,
            target: id(&self.target).or_else(|| id(&self.nsg)),
            nsg,
            rule: self.rule.as_deref().map(|rule| plain(rule).to_owned()),
        }
    }
}

/// A rule's name without what logs put before it.
fn plain(rule: &str) -> &str {
    rule.strip_prefix("UserRule_").or_else(|| rule.strip_prefix("DefaultRule_")).unwrap_or(rule)
}

/// Flows with the same names around them.
#[derive(Debug)]
struct Group {
    /// `None` while it is empty.
    format: Option<FlowLogFormat>,
    names: Names,
    /// Its last flow is the one before this.
    end: usize,
}

/// A record while it is read.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    groups: Vec<Group>,
    tuples: Vec<Tuple>,
}

impl Draft {
    /// How many groups there are, for [`Self::name`].
    pub(crate) const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Begins a list of tuples.
    pub(crate) fn begin(&mut self) {
        let group = Group { format: None, names: Names::default(), end: self.tuples.len() };
        self.groups.push(group);
    }

    /// Adds a tuple to the list that began last.
    pub(crate) fn add(&mut self, tuple: Tuple) {
        self.tuples.push(tuple);
        let end = self.tuples.len();
        let last = self.groups.last_mut().expect("a list began");
        // A list of two formats becomes two: what a log can tell is said by origin.
        if *last.format.get_or_insert(tuple.format) == tuple.format {
            last.end = end;
        } else {
            self.groups.push(Group { format: Some(tuple.format), names: Names::default(), end });
        }
    }

    /// Says what is around all groups from `first` on.
    pub(crate) fn name(&mut self, first: usize, names: &Names) {
        self.groups[first..].iter_mut().for_each(|group| group.names.fill_from(names));
    }

    /// Gives each group's origin and flows, and is empty then.
    pub(crate) fn finish<E>(
        &mut self,
        mut give: impl FnMut(FlowOrigin, &[Tuple]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for group in self.groups.drain(..) {
            let tuples = &mut self.tuples[start..group.end];
            start = group.end;
            if group.names.is_elsewhere() {
                tuples.iter_mut().for_each(|tuple| tuple.decision = LoggedDecision::Elsewhere);
            }
            if let Some(format) = group.format {
                give(group.names.origin(format), tuples)?;
            }
        }
        self.tuples.clear();
        Ok(())
    }
}
