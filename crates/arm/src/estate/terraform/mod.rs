//! Terraform plans and states of the `azurerm` provider, as resources in ARM's shape.
//!
//! A plan has values, a mask of what is known only after it is applied, and the configuration, whose expressions tell what
//! refers to what while ids are not yet known. All three become an object in ARM's shape beside a mask of the same shape,
//! so that everything after this is the same as for a dump. Nodes keep the places they have in the plan. What there is before
//! the plan is applied is in it too, with every value known.
//! Format: <https://developer.hashicorp.com/terraform/internals/json-format>.

mod block;
mod body;
mod identity;
mod plan;
mod references;
mod translate;

use palisade_model::{Place, ResourceId};

use super::Options;
use crate::json::{Document, Node};
use identity::Ids;
use plan::Plan;

/// A resource of a plan in ARM's shape.
#[derive(Debug)]
pub(super) struct Translated {
    /// ARM type in lower case; Terraform's own for types that are not translated.
    pub(super) kind: String,
    pub(super) id: ResourceId,
    /// Why the id has holes, if it has.
    pub(super) holes: Option<String>,
    pub(super) value: Node,
    pub(super) unknown: Node,
}

/// Something of a plan that cannot be told, such as what an association ties together.
#[derive(Debug)]
pub(super) struct Loose {
    pub(super) what: String,
    pub(super) reason: String,
    pub(super) place: Place,
}

/// What a plan holds.
#[derive(Debug, Default)]
pub(super) struct Translation {
    pub(super) resources: Vec<Translated>,
    pub(super) loose: Vec<Loose>,
}

/// Why ids and names of a plan have holes.
pub(super) const AFTER_APPLY: &str = "it is known only after the Terraform plan is applied";

/// Translates a plan or a state. `scope` tells its holes from those of other plans.
pub(super) fn translate(document: &Document, options: &Options, scope: Option<&str>) -> Translation {
    let plan = Plan::new(&document.root, options.plans);
    let ids = Ids::new(&plan, &options.context, scope);
    translate::all(&plan, document, &ids)
}
