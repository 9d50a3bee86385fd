//! What exists, for a template that is being deployed rather than read.
//!
//! Without it `reference()` of what only Azure has is unknown. With it the answer is the resource itself: at once where
//! the template does not declare it, and after it was made where it does. Whoever deploys evaluates again when more was made.
//! Nothing here fetches: [`Live`] is asked, and what it does not have stays unknown.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::collection::{List, Map};
use super::eval::Cx;
use super::problem::Fault;
use super::resource::Declared;
use super::scope::Place;
use super::session::Evaluator;
use super::text::Text;
use super::value::{Data, Location, Value};

/// Whole resources as a `GET` would answer them: with `id`, `name`, `type` and `properties`.
pub trait Live {
    /// A resource that the template does not declare.
    fn existing(&self, id: &str) -> Option<serde_json::Value>;

    /// A resource that the template declares, or a child of one, if this deployment has made it by now.
    fn made(&self, id: &str) -> Option<serde_json::Value>;
}

/// What one resource needs of another beyond what its `dependsOn` says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// Id of the resource that asks; match it by [`Text::key`].
    pub user: String,
    /// Id of the declared resource that it asks for.
    pub used: String,
}

/// Bookkeeping of one evaluation, for whoever deploys.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) uses: BTreeSet<Use>,
    /// Ids and names of resources whose condition is false.
    pub(super) skipped: BTreeSet<String>,
}

impl<'a> Evaluator<'a> {
    /// Notes that the resource at this place asks for a declared one: the deployment makes that one first.
    pub(super) fn note_use(&self, used: &Declared<'a>, cx: Cx<'_, 'a>) {
        if let Place::Resource(user) = &*cx.frame.place {
            let used = Use { user: user.to_lowercase(), used: used.id.key() };
            self.trace.borrow_mut().uses.insert(used);
        }
    }

    /// The resource itself: of a declared one, or one inside a declared one, only after it was made.
    pub(super) fn live_resource(
        &self,
        name: &Text,
        declared: Option<&Rc<Declared<'a>>>,
        inside: Option<&Rc<Declared<'a>>>,
    ) -> Option<serde_json::Value> {
        let live = self.live?;
        match (declared, inside) {
            (Some(declared), _) if declared.existing => live.existing(declared.id.known()?),
            (Some(declared), _) => live.made(declared.id.known()?),
            (None, Some(_)) => live.made(name.known()?),
            (None, None) => live.existing(name.known()?),
        }
    }
}

/// Plain JSON as a value: no string in it is an expression.
pub(super) fn value(json: &serde_json::Value, at: Location) -> Result<Value, Fault> {
    use serde_json::Value as Json;
    let data = match json {
        Json::Null => Data::Null,
        Json::Bool(flag) => Data::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Data::Int(whole),
            None => Data::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Data::from(text.as_str()),
        Json::Array(items) => {
            let items = items.iter().map(|item| value(item, at)).collect::<Result<_, _>>()?;
            Data::Array(List::new(items)?)
        }
        Json::Object(members) => {
            let members = members.iter().map(|(key, inner)| Ok((key.as_str().into(), value(inner, at)?)));
            Data::Object(Map::new(members.collect::<Result<_, Fault>>()?)?)
        }
    };
    Ok(Value::new(data, at))
}
