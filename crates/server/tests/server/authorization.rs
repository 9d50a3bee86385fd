//! Who may do what, tried on every route that there is.
//!
//! The routes are taken from the server's own tables, and what is expected of each stands in `authorization.txt`; a route
//! without a line there fails, and so does a line without a route. Each route is asked without a token, with garbage, with
//! an expired token, as somebody without a role, and as each role at a subscription, a group and a resource. Nothing that
//! is asked for exists, so nothing is changed: "may" is seen from an answer that is neither 401 nor 403.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use palisade_control::{Action, Caller, Expect, RecordChange, time::unix_seconds};
use palisade_identity::{ACCESS_LIFETIME, CLOCK_SKEW, Principal, built_in};
use serde_json::json;

use crate::client::{Client, Site};

/// What is expected, a line for each route.
const EXPECTATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/authorization.txt");
/// Routes that are in no table: they are one line each in `front.rs`.
const OPEN: &[(&str, &str)] =
    &[("GET", "/status"), ("GET", "/metadata/endpoints"), ("GET", "/api/openapi.json")];
/// Letters of the roles, in the order of [`built_in`].
const LETTERS: [char; 6] = ['O', 'C', 'R', 'N', 'U', 'S'];
/// What stands in all places for names. No such thing exists.
const NAME: &str = "00000000-0000-0000-0000-00000000beef";

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// Anybody.
    Open,
    /// Whoever has a token.
    Known,
    /// These roles, assigned at the subscription, at the group, at the resource.
    Roles([String; 3]),
}

fn expectations() -> BTreeMap<(String, String), Expected> {
    let text = std::fs::read_to_string(EXPECTATIONS).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let expected = match words[2..] {
            ["open"] => Expected::Open,
            ["known"] => Expected::Known,
            [subscription, group, resource] => {
                Expected::Roles([subscription, group, resource].map(str::to_owned))
            }
            _ => panic!("not a line: {line}"),
        };
        ((words[0].to_owned(), words[1].to_owned()), expected)
    };
    let count = lines.clone().count();
    let all: BTreeMap<_, _> = lines.map(line).collect();
    assert_eq!(all.len(), count, "a route has two lines");
    all
}

fn routes() -> BTreeSet<(String, String)> {
    let arm = palisade_server::arm::routes().iter().map(|route| (route.method, route.shape.as_str()));
    let own = palisade_server::api::routes().iter().map(|route| (route.method, route.shape.as_str()));
    let login = palisade_server::login::routes();
    let all = arm.chain(own).chain(login).chain(OPEN.iter().copied());
    all.map(|(method, path)| (method.to_owned(), path.to_owned())).collect()
}

/// The path of a shape at our subscription, and the resource that it is in.
fn fill(site: &Site, shape: &str) -> (String, Option<String>) {
    let shape = shape.replace("{scope}", "/subscriptions/{subscription}/resourceGroups/{group}");
    let words = shape.split('/').map(|word| match word {
        "{subscription}" => site.subscription.as_str(),
        "{group}" => "nobody",
        "{tenant}" => "common",
        "{namespace}" => "Microsoft.Network",
        word if word.starts_with('{') => NAME,
        word => word,
    });
    let path = words.collect::<Vec<_>>().join("/");
    let segments: Vec<_> = path.split('/').collect();
    let is_resource = segments.len() >= 9 && segments[3] == "resourceGroups" && segments[5] == "providers";
    let resource = is_resource.then(|| segments[..9].join("/"));
    (path, resource)
}

/// Makes a person and logs him in, `age` seconds ago.
pub(crate) async fn person(site: &Site, name: &str, age: u64) -> (Principal, Client) {
    let app = site.running.app();
    let now = unix_seconds(SystemTime::now());
    let person = Principal::user(name, name, 0).unwrap();
    let change = RecordChange {
        key: format!("id/principal/{}", person.id),
        value: Some(serde_json::to_value(&person).unwrap()),
        expect: Expect::Absent,
    };
    app.control
        .act(&Caller::default(), Action::Records { changes: vec![change], verb: "test" })
        .await
        .unwrap();
    let ring = app.gate.ring(&app.control).unwrap();
    let token = app.gate.issuer().access(&ring, &person, "test", now - age).unwrap();
    (person, site.client.with_token(&token))
}

pub(crate) async fn assign(site: &Site, person: &Principal, role: usize, scope: &str) {
    let name = uuid::Uuid::new_v4();
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let role = format!("/providers/Microsoft.Authorization/roleDefinitions/{}", built_in()[role].id);
    let body = json!({ "properties": { "roleDefinitionId": role, "principalId": person.id, "principalType": "User" } });
    site.client.put(&path, body).await.expect(201);
}

/// Asks for a route; told is the status.
async fn ask(client: &Client, method: &str, path: &str) -> u16 {
    // A number that is none: the stream of changes must not begin.
    client.json(method, &format!("{path}?after=none"), None).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_expected_and_every_expectation_is_a_route() {
    let (routes, expected) = (routes(), expectations().into_keys().collect());
    let missing: Vec<_> = routes.difference(&expected).collect();
    let stale: Vec<_> = expected.difference(&routes).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "without a line: {missing:#?}\nwithout a route: {stale:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_good_token_gets_in_nowhere() {
    let site = Site::start().await;
    let (_, expired) = person(&site, "late@lab", ACCESS_LIFETIME + CLOCK_SKEW).await;
    let strangers = [
        (site.client.stranger(), "AuthenticationFailed"),
        (site.client.with_token("garbage"), "InvalidAuthenticationToken"),
        (expired, "ExpiredAuthenticationToken"),
    ];
    for ((method, shape), expected) in expectations() {
        let (path, _) = fill(&site, &shape);
        for (client, code) in &strangers {
            if expected == Expected::Open {
                let status = ask(client, &method, &path).await;
                assert!(status != 403 && status < 500, "{method} {shape}: {status}");
                continue;
            }
            let answer = client.json(&method, &path, None).await.expect(401);
            assert!(answer.header("www-authenticate").is_some(), "{method} {shape}");
            if method != "HEAD" {
                answer.refused(401, code);
            }
        }
    }
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_what_it_may_and_nothing_else() {
    let site = Site::start().await;
    let resources: BTreeSet<String> = routes().iter().filter_map(|(_, shape)| fill(&site, shape).1).collect();
    let (_, nobody) = person(&site, "nobody@lab", 0).await;
    let mut clients = Vec::new();
    for (role, letter) in LETTERS.into_iter().enumerate() {
        for (column, scopes) in
            [vec![site.id("")], vec![site.id("/resourceGroups/nobody")], resources.iter().cloned().collect()]
                .into_iter()
                .enumerate()
        {
            let (person, client) = person(&site, &format!("{letter}{column}@lab"), 0).await;
            for scope in scopes {
                assign(&site, &person, role, &scope).await;
            }
            clients.push((column, letter, client));
        }
    }

    let (mut wrong, mut asked) = (Vec::new(), 0);
    for ((method, shape), expected) in expectations() {
        let (path, _) = fill(&site, &shape);
        let status = ask(&nobody, &method, &path).await;
        if (status == 403) != matches!(expected, Expected::Roles(_)) || status == 401 || status >= 500 {
            wrong.push(format!("{method} {shape}: without a role {status}"));
        }
        let Expected::Roles(columns) = expected else { continue };
        let mut found = [const { String::new() }; 3];
        for (column, letter, client) in &clients {
            asked += 1;
            match ask(client, &method, &path).await {
                403 => {}
                status if status == 401 || status >= 500 => {
                    wrong.push(format!("{method} {shape}: {letter} {status}"));
                }
                _ => found[*column].push(*letter),
            }
        }
        let found = found.map(|letters| if letters.is_empty() { "-".to_owned() } else { letters });
        if found != columns {
            wrong.push(format!("{method} {shape} {}  # expected {}", found.join(" "), columns.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(asked > 18 * 100, "{asked}");
    site.running.stop().await;
}
