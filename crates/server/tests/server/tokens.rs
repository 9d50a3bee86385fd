//! The token service as client libraries use it.

use serde_json::{Value, json};

use crate::client::{Answer, Client, Site};

/// The client that `az` is.
const AZ: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const PASSWORD: &str = "correct horse battery";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) async fn form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let escape =
        |text: &str| text.replace('%', "%25").replace('+', "%2B").replace('&', "%26").replace(' ', "+");
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    client.stranger().send("POST", path, &kind, pairs.join("&").into_bytes()).await
}

/// Fails unless the answer is this refusal, in OAuth's shape.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(error)), "{}", answer.text);
    assert!(answer.body["error_description"].as_str().is_some_and(|text| text.len() > 10));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

pub(crate) fn text(answer: &Answer, field: &str) -> String {
    answer.body[field].as_str().unwrap_or_else(|| panic!("no {field}: {}", answer.text)).to_owned()
}

/// Makes a person with a password; told is the object id.
async fn make_person(site: &Site, name: &str) -> String {
    let body = json!({ "kind": "User", "name": name, "password": PASSWORD });
    text(&site.client.post("/api/v1/principals", body).await.expect(201), "id")
}

async fn by_password(site: &Site, name: &str, password: &str) -> Answer {
    let fields = [
        ("grant_type", "password"),
        ("client_id", AZ),
        ("username", name),
        ("password", password),
        ("scope", "https://h//.default openid profile offline_access"),
    ];
    form(&site.client, "/common/oauth2/v2.0/token", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_a_token_at_every_address_whatever_it_asks_for() {
    let site = Site::start().await;
    let own = site.running.bootstrap().unwrap();
    let tenant = own.tenant_id.as_str();
    for path in [
        format!("/{tenant}/oauth2/v2.0/token"),
        format!("/{}/oauth2/v2.0/token", tenant.to_uppercase()),
        "/adfs/oauth2/token".to_owned(),
        "/organizations/oauth2/v2.0/token".to_owned(),
        format!("/adfs/{tenant}/oauth2/v2.0/token"),
    ] {
        for scope in
            ["https://management.azure.com/.default", "https://h//.default", "https://h/msgraph/.default"]
        {
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_id", own.client_id.as_str()),
                ("client_secret", own.client_secret.as_str()),
                ("scope", scope),
            ];
            let answer = form(&site.client, &path, &fields).await.expect(200);
            assert_eq!(answer.body["token_type"], "Bearer");
            site.client.with_token(&text(&answer, "access_token")).get("/subscriptions").await.expect(200);
            assert!(answer.body["expires_in"].is_u64(), "{path}");
            // Only version 1 says when.
            assert_eq!(answer.body["expires_on"].is_string(), path.ends_with("/oauth2/token"), "{path}");
        }
    }
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_refused_in_the_same_words_whatever_is_wrong() {
    let site = Site::start().await;
    let own = site.running.bootstrap().unwrap();
    let path = "/common/oauth2/v2.0/token";
    let nobody = "00000000-0000-0000-0000-00000000dead";
    let mut words = Vec::new();
    for (client, secret) in [(own.client_id.as_str(), "wrong"), (nobody, "wrong"), ("no-guid", "wrong")] {
        let fields = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
        let answer = form(&site.client, path, &fields).await;
        refused(&answer, 401, "invalid_client");
        words.push(answer.text);
    }
    assert!(words.windows(2).all(|pair| pair[0] == pair[1]), "{words:?}");

    let basic = |client: &str, secret: &str| {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{client}:{secret}"));
        [
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("authorization", format!("Basic {pair}")),
        ]
    };
    for (secret, status) in [(own.client_secret.as_str(), 200), ("wrong", 401)] {
        let headers = basic(&own.client_id, secret);
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let body = b"grant_type=client_credentials".to_vec();
        site.client.stranger().send("POST", path, &headers, body).await.expect(status);
    }

    let check = async |fields: &[(&str, &str)], status, error| {
        refused(&form(&site.client, path, fields).await, status, error);
    };
    check(&[], 400, "invalid_request").await;
    check(&[("grant_type", "implicit")], 400, "unsupported_grant_type").await;
    check(&[("grant_type", "authorization_code")], 400, "unsupported_grant_type").await;
    check(&[("grant_type", "client_credentials")], 400, "invalid_request").await;
    check(&[("grant_type", "client_credentials"), ("client_id", nobody)], 401, "invalid_client").await;
    check(&[("a", "1"), ("a", "2")], 400, "invalid_request").await;
    let long = "x".repeat(40_000);
    check(&[("grant_type", &long)], 400, "invalid_request").await;
    let elsewhere = form(&site.client, "/00000000-0000-0000-0000-00000000dead/oauth2/v2.0/token", &[]).await;
    refused(&elsewhere, 400, "invalid_tenant");
    let page = site.client.stranger().get("/common/oauth2/v2.0/authorize").await;
    refused(&page, 400, "unsupported_response_type");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_names_addresses_that_answer() {
    let site = Site::start().await;
    let (stranger, host) = (site.client.stranger(), site.running.endpoint().to_owned());
    let tenant = site.running.app().site.tenant.clone();
    for path in [
        format!("/{tenant}/v2.0/.well-known/openid-configuration"),
        "/organizations/v2.0/.well-known/openid-configuration".to_owned(),
        "/adfs/.well-known/openid-configuration".to_owned(),
        "/adfs/adfs/v2.0/.well-known/openid-configuration".to_owned(),
        format!("/adfs/{tenant}/v2.0/.well-known/openid-configuration"),
    ] {
        let found = stranger.get(&path).await.expect(200).body;
        let address = |field: &str| {
            let url = found[field].as_str().unwrap_or_else(|| panic!("{path} has no {field}"));
            url.strip_prefix(&host).unwrap_or_else(|| panic!("{url} is elsewhere")).to_owned()
        };
        refused(&form(&stranger, &address("token_endpoint"), &[]).await, 400, "invalid_request");
        refused(
            &form(&stranger, &address("device_authorization_endpoint"), &[]).await,
            400,
            "invalid_request",
        );
        refused(&stranger.get(&address("authorization_endpoint")).await, 400, "unsupported_response_type");
        let keys = stranger.get(&address("jwks_uri")).await.expect(200).body;
        assert_eq!((keys["keys"][0]["kty"].as_str(), keys["keys"][0].get("d")), (Some("EC"), None));
    }
    stranger.get("/common/discovery/instance?authorization_endpoint=x").await.expect(200);
    let realm = stranger.get("/common/userrealm/nobody%40lab.local").await.expect(200);
    assert_eq!(realm.body["account_type"], "Managed");
    stranger.get("/other/v2.0/.well-known/openid-configuration").await.expect(400);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_goes_on_with_refresh_tokens_that_work_once() {
    let site = Site::start().await;
    make_person(&site, "ada@lab.local").await;
    let login = by_password(&site, "ADA@lab.local", PASSWORD).await.expect(200);
    for field in ["access_token", "id_token", "client_info", "refresh_token", "scope"] {
        text(&login, field);
    }
    let redeem = async |token: &str, client: &str| {
        let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        form(&site.client, "/common/oauth2/v2.0/token", &fields).await
    };
    let first = text(&login, "refresh_token");
    refused(&redeem(&first, "another").await, 400, "invalid_grant");
    refused(&redeem("made-up", AZ).await, 400, "invalid_grant");
    let second = text(&redeem(&first, AZ).await.expect(200), "refresh_token");
    assert_ne!(first, second);
    // A client that lost the answer may ask again for a moment.
    redeem(&first, AZ).await.expect(200);
    redeem(&second, AZ).await.expect(200);
    refused(&by_password(&site, "ada@lab.local", "wrong").await, 400, "invalid_grant");
    refused(&by_password(&site, "nobody@lab.local", "wrong").await, 400, "invalid_grant");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_waits_and_a_flood_of_failures_stays_small_in_the_log() {
    let site = Site::start().await;
    make_person(&site, "ada@lab.local").await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(by_password(&site, "ada@lab.local", "wrong").await.status);
    }
    assert_eq!(statuses[..6], [400; 6]);
    assert!(statuses[6..].contains(&429), "{statuses:?}");
    for _ in 0..60 {
        site.client.with_token("garbage").get("/subscriptions").await.expect(401);
    }
    let log = site.client.get("/api/v1/audit?limit=1000").await.expect(200);
    let count = log.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| matches!(entry["verb"].as_str(), Some("refused" | "login")));
    assert!((8..=40).contains(&count.count()), "{}", log.text);
    assert!(!log.text.contains("argon2"), "a hash is in the log");
    assert!(
        !log.text.contains(PASSWORD) && !log.text.contains(&site.running.bootstrap().unwrap().client_secret)
    );
    assert_eq!(site.client.get("/api/v1/audit/verify").await.expect(200).body["intact"], Value::Bool(true));
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_approved_by_a_person_and_redeemed_once() {
    let site = Site::start().await;
    make_person(&site, "ada@lab.local").await;
    let begin = async || {
        form(&site.client, "/organizations/oauth2/v2.0/devicecode", &[("client_id", AZ)]).await.expect(200)
    };
    let redeem = async |code: &str| {
        let fields = [("grant_type", DEVICE), ("client_id", AZ), ("device_code", code)];
        form(&site.client, "/organizations/oauth2/v2.0/token", &fields).await
    };
    let asked = begin().await;
    let (device_code, user_code) = (text(&asked, "device_code"), text(&asked, "user_code"));
    refused(&redeem(&device_code).await, 400, "authorization_pending");
    refused(&redeem("made-up").await, 400, "invalid_grant");

    // On the page: not with a wrong password, not from another site.
    let page = site.client.stranger().get(&format!("/device?code={user_code}")).await.expect(200);
    assert!(page.text.contains(&user_code) && page.header("content-security-policy").is_some());
    let fields = [("code", user_code.as_str()), ("username", "ada@lab.local"), ("password", "wrong")];
    form(&site.client, "/device", &fields).await.expect(400);
    let fields = [("code", user_code.as_str()), ("username", "ada@lab.local"), ("password", PASSWORD)];
    let evil = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
    site.client.stranger().send("POST", "/device", &evil, b"code=x".to_vec()).await.expect(403);
    refused(&redeem(&device_code).await, 400, "authorization_pending");
    form(&site.client, "/device", &fields).await.expect(200);
    let tokens = redeem(&device_code).await.expect(200);
    assert_ne!(redeem(&device_code).await.status, 200, "redeemed twice");

    // By the API, with the token of a person.
    let asked = begin().await;
    let person = site.client.with_token(&text(&tokens, "access_token"));
    let approve = json!({ "userCode": text(&asked, "user_code").to_lowercase() });
    site.client.post("/api/v1/device/approve", approve.clone()).await.refused(403, "UserRequired");
    person
        .post("/api/v1/device/approve", json!({ "userCode": "BCDF-GHJK-LMNP" }))
        .await
        .refused(404, "UserCodeNotFound");
    person.post("/api/v1/device/approve", approve).await.expect(204);
    redeem(&text(&asked, "device_code")).await.expect(200);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_with_the_next_request() {
    let site = Site::start().await;
    let id = make_person(&site, "ada@lab.local").await;
    let token = text(&by_password(&site, "ada@lab.local", PASSWORD).await.expect(200), "access_token");
    let person = site.client.with_token(&token);
    let groups = site.id("/resourceGroups");
    person.get(&groups).await.refused(403, "AuthorizationFailed");

    let reader = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let assignment =
        site.id("/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000aa");
    let body =
        json!({ "properties": { "roleDefinitionId": reader, "principalId": id, "principalType": "User" } });
    site.client.put(&assignment, body.clone()).await.expect(201);
    site.client.put(&assignment, body).await.expect(200);
    person.get(&groups).await.expect(200);
    site.client.delete(&assignment).await.expect(200);
    site.client.delete(&assignment).await.expect(204);
    person.get(&groups).await.refused(403, "AuthorizationFailed");

    site.client.delete(&format!("/api/v1/principals/{id}")).await.expect(204);
    person.get(&groups).await.refused(401, "InvalidAuthenticationToken");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_want_a_user_name_at_once_one_gets_it() {
    let site = Site::start().await;
    let wish = |name: &str| {
        let (client, body) = (site.client.clone(), json!({ "kind": "User", "name": name }));
        async move { client.post("/api/v1/principals", body).await }
    };
    let (one, two, three) = tokio::join!(wish("ada@lab.local"), wish("Ada@lab.local"), wish("ADA@lab.local"));
    let (made, refused): (Vec<_>, Vec<_>) = [one, two, three].into_iter().partition(|one| one.status == 201);
    assert_eq!(made.len(), 1);
    refused.into_iter().for_each(|one| drop(one.refused(409, "PrincipalExists")));
    let id = made[0].body["id"].as_str().unwrap();
    site.client.delete(&format!("/api/v1/principals/{id}")).await.expect(204);
    wish("ada@lab.local").await.expect(201);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_given_by_who_administers_and_the_last_owner_stays() {
    let site = Site::start().await;
    let root = "/providers/Microsoft.Authorization/roleAssignments";
    let list = site.client.get(root).await.expect(200);
    let [owner] = &list.body["value"].as_array().unwrap()[..] else { panic!("{}", list.text) };
    let owner = format!("{root}/{}", owner["name"].as_str().unwrap());
    site.client.delete(&owner).await.refused(409, "LastOwner");

    // Somebody with an own role that may write assignments, but does not administer.
    let (role, assignment) = ("00000000-0000-0000-0000-0000000000cc", "00000000-0000-0000-0000-0000000000dd");
    let path = site.id(&format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"));
    let body = json!({ "properties": {
        "roleName": "assigner", "assignableScopes": ["/"],
        "permissions": [{ "actions": ["Microsoft.Authorization/roleAssignments/*"] }],
    } });
    site.client.put(&path, body).await.expect(201);
    let id = make_person(&site, "ada@lab.local").await;
    let given = |role: &str| json!({ "properties": { "roleDefinitionId": role, "principalId": id } });
    site.client.put(&site.id(&format!("{root}/{assignment}")), given(&path)).await.expect(201);
    let person =
        site.client.with_token(&text(&by_password(&site, "ada@lab.local", PASSWORD).await, "access_token"));
    let other = site.id(&format!("{root}/00000000-0000-0000-0000-0000000000ee"));
    let own = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    person.put(&other, given(own)).await.refused(403, "AuthorizationFailed");
    site.client.delete(&path).await.refused(409, "RoleDefinitionHasAssignments");

    // A second owner at / makes the first one free to go.
    site.client.put(&format!("{root}/00000000-0000-0000-0000-0000000000ff"), given(own)).await.expect(201);
    person.delete(&owner).await.expect(200);
    person.delete(&format!("{root}/00000000-0000-0000-0000-0000000000ff")).await.refused(409, "LastOwner");
    site.client.get(root).await.refused(403, "AuthorizationFailed");
    site.running.stop().await;
}
