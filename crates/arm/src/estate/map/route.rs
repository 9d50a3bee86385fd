//! Route tables and their routes, both inside the table and as resources of their own.

use palisade_model::Truth;
use palisade_model::spec::{RouteSpec, RouteTableSpec, Text};

use super::{Resource, element_id, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

pub(super) fn table(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let mut spec = RouteTableSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        routes: Vec::new(),
        disable_gateway_propagation: reader.truth(item, "disableBgpRoutePropagation", &resource.id, false),
        place: resource.place(),
    };
    let mut ids = Vec::new();
    for (index, element) in reader.objects(item, "routes", &resource.id).into_iter().enumerate() {
        let name = reader.some_name(element);
        ids.push(element_id(&resource.id, "routes", Some(&name), index));
        spec.routes.push(route(reader, element, name));
    }
    let table = reader.index.keep(List::RouteTables, &mut reader.spec.route_tables, &resource.id, spec);
    reader.index.children(List::Routes, table, ids);
}

/// A route that is a resource of its own.
pub(super) fn child(reader: &mut Reader, resource: &Resource<'_>) {
    let Some(parent) = resource.parent(reader) else { return };
    note_uncertain(reader, resource);
    let table = reader.index.find(List::RouteTables, &parent).unwrap_or_else(|| {
        let place = resource.place();
        reader.unknown(
            parent.as_str(),
            "the input has routes of this table but not the table itself",
            place.clone(),
        );
        let stub = Resource { id: parent.clone(), ..resource.clone() };
        let spec = RouteTableSpec {
            name: stub.name(reader),
            id: parent.clone(),
            routes: Vec::new(),
            disable_gateway_propagation: Truth::Maybe,
            place,
        };
        reader.index.keep(List::RouteTables, &mut reader.spec.route_tables, &parent, spec)
    });
    let name = resource.name(reader);
    let route = route(reader, resource.item, name);
    reader.index.put(List::Routes, table, &mut reader.spec.route_tables[table].routes, &resource.id, route);
}

/// A route, wherever it stands.
fn route(reader: &mut Reader, item: Item<'_>, name: Text) -> RouteSpec {
    RouteSpec {
        name,
        address_prefix: reader.text(item, "addressPrefix"),
        next_hop_type: reader.text(item, "nextHopType"),
        place: item.place(),
    }
}
