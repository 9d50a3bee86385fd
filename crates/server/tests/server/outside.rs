//! Issuers elsewhere: people of an OpenID provider, and programs that an issuer vouches for. Nothing leaves the machine: the
//! issuer of these tests is a key, and its documents come from a table.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use palisade_server::access::outside::{KeySource, Provider, group_id};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Site},
    tokens::{form, refused, text},
};

const ISSUER: &str = "https://issuer.example";
const CLIENT: &str = "palisade-lab";
const READER: &str =
    "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An issuer: a key, and what it publishes.
#[derive(Debug)]
struct Issuer {
    key: rcgen::KeyPair,
    asked: AtomicUsize,
}

impl Issuer {
    fn new() -> Arc<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Arc::new(Self { key, asked: AtomicUsize::new(0) })
    }

    /// Its keys as a JWK set.
    fn keys(&self) -> Value {
        let point = self.key.public_key_raw();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "x": x, "y": y }] })
    }

    /// A token that says this, besides issuer and times.
    fn token(&self, claims: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut all = json!({ "iss": ISSUER, "iat": now, "nbf": now, "exp": now + 600 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, &all, &key).unwrap()
    }
}

#[async_trait]
impl KeySource for Issuer {
    async fn document(&self, url: &str) -> Result<Value, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match url.strip_prefix(ISSUER) {
            Some("/.well-known/openid-configuration") => Ok(json!({ "jwks_uri": format!("{ISSUER}/keys") })),
            Some("/keys") => Ok(self.keys()),
            _ => Err(format!("{url} does not answer")),
        }
    }
}

async fn site(issuer: &Arc<Issuer>) -> Site {
    let source = issuer.clone();
    Site::with(|options| {
        options.openid = Some(Provider {
            issuer: ISSUER.to_owned(),
            client_id: CLIENT.to_owned(),
            group_claim: Some("groups".to_owned()),
        });
        options.key_source = source;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_the_provider_is_known_at_first_sight_and_may_what_his_groups_may() {
    let issuer = Issuer::new();
    let site = site(&issuer).await;
    let groups = site.id("/resourceGroups");
    let claims = json!({
        "sub": "ada", "aud": CLIENT, "preferred_username": "ada@issuer.example", "groups": ["firewall", 7],
    });
    let ada = site.client.with_token(&issuer.token(&claims));
    ada.get("/subscriptions").await.expect(200);
    ada.get("/tenants").await.expect(200);
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 2, "the keys are fetched once");
    ada.get(&groups).await.refused(403, "AuthorizationFailed");

    let principals = site.client.get("/api/v1/principals").await.expect(200);
    let named = |answer: &Answer| {
        let all = answer.body["value"].as_array().unwrap();
        all.iter().filter(|one| one["name"] == "ada@issuer.example").cloned().collect::<Vec<_>>()
    };
    let [own] = &named(&principals)[..] else { panic!("{}", principals.text) };
    assert_eq!(own["kind"], "User");

    // A role of a group is a role of its people.
    let path =
        site.id("/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000aa");
    let group = group_id(ISSUER, "firewall").to_string();
    let body = json!({ "properties": {
        "roleDefinitionId": READER, "principalId": group, "principalType": "Group",
    } });
    site.client.put(&path, body).await.expect(201);
    ada.get(&groups).await.expect(200);
    let other = issuer.token(&json!({ "sub": "bob", "aud": CLIENT, "groups": ["kitchen"] }));
    site.client.with_token(&other).get(&groups).await.refused(403, "AuthorizationFailed");

    // Who is disabled is out, with this token and the next.
    let id = own["id"].as_str().unwrap();
    let change = json!({ "enabled": false });
    site.client.json("PATCH", &format!("/api/v1/principals/{id}"), Some(change)).await.expect(200);
    for token in [ada, site.client.with_token(&issuer.token(&claims))] {
        token.get(&groups).await.refused(401, "InvalidAuthenticationToken");
    }
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_provider_is_refused_if_anything_is_wrong_with_it() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let site = site(&issuer).await;
    let wrong = [
        issuer.token(&json!({ "sub": "ada", "aud": "another-client" })),
        issuer.token(&json!({ "sub": "ada", "aud": CLIENT, "exp": 1_000 })),
        issuer.token(&json!({ "sub": "ada", "aud": CLIENT, "iss": "https://evil.example" })),
        issuer.token(&json!({ "aud": CLIENT })),
        stranger.token(&json!({ "sub": "ada", "aud": CLIENT })),
    ];
    for token in wrong {
        let answer = site.client.with_token(&token).get("/subscriptions").await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert!(answer.header("www-authenticate").is_some());
    }
    let all = site.client.get("/api/v1/principals").await.expect(200);
    assert_eq!(all.body["value"].as_array().unwrap().len(), 1, "nobody was made: {}", all.text);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_a_token_by_an_assertion_of_an_issuer_that_vouches_for_it() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let site = site(&issuer).await;
    let made = json!({ "kind": "ServicePrincipal", "name": "pipeline" });
    let made = site.client.post("/api/v1/principals", made).await.expect(201);
    let (id, client) = (text(&made, "id"), text(&made, "clientId"));
    let redeem = async |assertion: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
            ("scope", "https://management.azure.com/.default"),
        ];
        form(&site.client, "/common/oauth2/v2.0/token", &fields).await
    };
    let claims = json!({ "sub": "repo:lab", "aud": "api://AzureADTokenExchange" });
    refused(&redeem(&issuer.token(&claims)).await, 401, "invalid_client");

    // With keys that were given, with keys at a place, and with those of the discovery document.
    let path = format!("/api/v1/principals/{id}/federated/pipeline");
    let entry = json!({
        "issuer": ISSUER, "subject": "repo:lab", "audiences": ["api://AzureADTokenExchange"],
    });
    for (field, value) in
        [("keys", issuer.keys()), ("keysUrl", json!(format!("{ISSUER}/keys"))), ("", Value::Null)]
    {
        let mut entry = entry.clone();
        if !field.is_empty() {
            entry[field] = value;
        }
        site.client.put(&path, entry).await.expect(200);
        let answer = redeem(&issuer.token(&claims)).await.expect(200);
        let program = site.client.with_token(&text(&answer, "access_token"));
        program.get("/subscriptions").await.expect(200);
        for wrong in [
            stranger.token(&claims),
            issuer.token(&json!({ "sub": "repo:other", "aud": "api://AzureADTokenExchange" })),
            issuer.token(&json!({ "sub": "repo:lab", "aud": "another" })),
            "garbage".to_owned(),
        ] {
            refused(&redeem(&wrong).await, 401, "invalid_client");
        }
    }
    site.client.delete(&path).await.expect(204);
    refused(&redeem(&issuer.token(&claims)).await, 401, "invalid_client");
    site.running.stop().await;
}
