//! `reference()` while deploying: what was made is known in full, what is not yet made waits, and who waits is told.

use serde_json::json as literal;

use super::*;

/// Resources by id, each in one of two maps.
#[derive(Default)]
struct World {
    existing: BTreeMap<String, serde_json::Value>,
    made: BTreeMap<String, serde_json::Value>,
}

impl Live for World {
    fn existing(&self, id: &str) -> Option<serde_json::Value> {
        self.existing.get(&id.to_lowercase()).cloned()
    }

    fn made(&self, id: &str) -> Option<serde_json::Value> {
        self.made.get(&id.to_lowercase()).cloned()
    }
}

const SCOPE: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/resource-group/providers/a.b";

fn deploy_among(world: &World, resources: &str) -> Deployment {
    let template = document("main.json", &format!(r#"{{"resources": [{resources}]}}"#));
    let context = DeploymentContext::default();
    let input = Input { template: &template, parameters: &[], context: &context, links: &NoLinks };
    evaluate_live(&input, world)
}

/// The property `x` of the thing named `user`.
fn asked(deployment: &Deployment) -> &Value {
    let user = deployment.resources.iter().find(|r| r.name.known() == Some("user")).expect("it is declared");
    user.body.at_pointer("/properties/x").expect("it has the property")
}

const USED: &str =
    r#"{"type": "A.B/c", "name": "used", "apiVersion": "1", "properties": {"y": "[parameters('no')]"}}"#;

fn user(expression: &str) -> String {
    format!(
        r#"{{"type": "A.B/c", "name": "user", "apiVersion": "1", "properties": {{"x": "[{expression}]"}}}}"#
    )
}

#[test]
fn a_declared_resource_is_known_in_full_once_it_is_made() {
    let resources =
        format!("{}, {}", user("reference('used').guid"), USED.replace("[parameters('no')]", "n"));
    let mut world = World::default();
    let id = format!("{SCOPE}/c/used");
    // What stood there before the deployment is not the answer.
    world.existing.insert(id.clone(), literal!({"properties": {"guid": "old"}}));
    let before = deploy_among(&world, &resources);
    assert!(asked(&before).as_unknown().is_some());
    assert_eq!(before.uses, [Use { user: format!("{SCOPE}/c/user"), used: id.clone() }]);

    world.made.insert(id, literal!({"properties": {"guid": "[new]"}}));
    let after = deploy_among(&world, &resources);
    assert_eq!(asked(&after).as_str(), Some("[new]"), "an answer is no expression");
}

#[test]
fn what_the_template_does_not_declare_is_read_at_once() {
    let mut world = World::default();
    let there = literal!({"location": "westus", "properties": {"list": [1, 2.5, null, {"k": true}]}});
    world.existing.insert(format!("{SCOPE}/d/e"), there);
    let full = deploy_among(&world, &user("reference(resourceId('A.B/d', 'e'), '1', 'Full').location"));
    assert_eq!(asked(&full).as_str(), Some("westus"));
    let list = deploy_among(&world, &user("reference(resourceId('A.B/d', 'e')).list"));
    assert_eq!(asked(&list).to_json(), literal!([1, 2.5, null, {"k": true}]));
    assert!(list.uses.is_empty());
    let missing = deploy_among(&world, &user("reference(resourceId('A.B/d', 'missing')).list"));
    assert!(asked(&missing).as_unknown().is_some());
}

#[test]
fn conditions_and_loops_leave_their_names() {
    let resources = r#"{"type": "A.B/c", "name": "off", "apiVersion": "1", "condition": false},
        {"type": "A.B/c", "name": "[concat('n', copyIndex())]", "apiVersion": "1", "copy": {"name": "all", "count": 2}}"#;
    let deployment = deploy_among(&World::default(), resources);
    assert_clean(&deployment);
    assert_eq!(deployment.skipped, [format!("{SCOPE}/c/off"), "off".to_owned()].into());
    let loops: Vec<&[String]> = deployment.resources.iter().map(|r| r.loops.as_slice()).collect();
    assert_eq!(loops, [["all"], ["all"]]);
}
