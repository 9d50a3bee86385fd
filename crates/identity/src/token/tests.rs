//! Tokens: which are accepted, until when, and what does not pass for one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ACCESS_LIFETIME, CLOCK_SKEW, DeviceClaims, Issuer, TOKEN_LENGTH_MAX, TokenError, client_info};
use crate::keys::KeyRing;
use crate::principal::Principal;

const NOW: u64 = 1_800_000_000;

fn issuer() -> Issuer {
    Issuer { tenant: Uuid::from_u128(7) }
}

fn program() -> Principal {
    Principal::service("deploy", 0).unwrap()
}

#[test]
fn a_token_says_who_and_is_good_for_its_time() {
    let (ring, program) = (KeyRing::generate(NOW).unwrap(), program());
    let token = issuer().access(&ring, &program, "client", NOW).unwrap();
    let claims = issuer().verify(&ring, &token, NOW).unwrap();
    assert_eq!(
        (claims.oid, claims.tid, &*claims.idtyp, &*claims.appid),
        (program.id, issuer().tenant, "app", "client")
    );
    let end = NOW + ACCESS_LIFETIME + CLOCK_SKEW;
    assert!(issuer().verify(&ring, &token, end - 1).is_ok());
    assert_eq!(issuer().verify(&ring, &token, end), Err(TokenError::Expired));
    assert!(issuer().verify(&ring, &token, NOW - CLOCK_SKEW).is_ok());
    assert_eq!(issuer().verify(&ring, &token, NOW - CLOCK_SKEW - 1), Err(TokenError::Early));
}

#[test]
fn a_key_verifies_until_its_last_token_has_ended() {
    let old = KeyRing::generate(NOW).unwrap();
    let token = issuer().access(&old, &program(), "c", NOW).unwrap();
    let new = old.rotated(NOW).unwrap();
    assert_eq!(new.public(NOW).keys.len(), 2);
    assert!(issuer().verify(&new, &token, NOW + ACCESS_LIFETIME + CLOCK_SKEW - 1).is_ok());
    assert_eq!(issuer().verify(&new, &token, NOW + ACCESS_LIFETIME + CLOCK_SKEW), Err(TokenError::Invalid));
    assert!(issuer().verify(&new, &issuer().access(&new, &program(), "c", NOW).unwrap(), NOW).is_ok());
    assert_eq!(issuer().verify(&KeyRing::generate(NOW).unwrap(), &token, NOW), Err(TokenError::Invalid));
    assert!(!old.is_due(NOW + 89 * 86_400) && old.is_due(NOW + 90 * 86_400));
    // Long-retired keys are dropped, so that the record does not grow.
    let much_later = new.rotated(NOW + 90 * 86_400).unwrap();
    assert_eq!(much_later.public(NOW + 90 * 86_400).keys.len(), 2);
}

#[test]
fn every_changed_character_is_noticed() {
    let ring = KeyRing::generate(NOW).unwrap();
    let token = issuer().access(&ring, &program(), "c", NOW).unwrap();
    for place in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(issuer().verify(&ring, &changed, NOW).is_err(), "{place}");
    }
}

#[test]
fn other_tokens_do_not_pass() {
    let ring = KeyRing::generate(NOW).unwrap();
    let mut user = Principal::user("ada@lab", "Ada", 0).unwrap();
    let id_token = issuer().identity(&ring, &user, "client", "https://h/t/v2.0", NOW).unwrap();
    assert!(issuer().verify(&ring, &id_token, NOW).is_err());

    let device = DeviceClaims { user_code: "BCDF".to_owned(), client: "c".to_owned(), exp: NOW + 1 };
    let code = issuer().device_code(&ring, &device).unwrap();
    assert_eq!(issuer().read_device_code(&ring, &code, NOW), Ok(device));
    assert!(issuer().verify(&ring, &code, NOW).is_err());

    user.enabled = false;
    let other = Issuer { tenant: Uuid::from_u128(8) };
    let token = other.access(&ring, &user, "c", NOW).unwrap();
    assert_eq!(issuer().verify(&ring, &token, NOW), Err(TokenError::Foreign));

    let long = "a".repeat(TOKEN_LENGTH_MAX + 1);
    for garbage in ["", "a", "a.b.c", "..", "Bearer x", &long] {
        assert_eq!(issuer().verify(&ring, garbage, NOW), Err(TokenError::Invalid), "{garbage:.20}");
    }
}

#[test]
fn the_algorithm_is_ours_to_choose() {
    let ring = KeyRing::generate(NOW).unwrap();
    let good = issuer().access(&ring, &program(), "c", NOW).unwrap();
    let claims = good.split('.').nth(1).unwrap();

    let none = json!({ "alg": "none", "typ": "JWT", "kid": ring.key_id() });
    let unsigned = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(none.to_string()));
    assert_eq!(issuer().verify(&ring, &unsigned, NOW), Err(TokenError::Invalid));

    // The public key taken for a shared secret.
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let public = serde_json::to_string(&ring.public(NOW).keys[0]).unwrap();
    let header = Header { kid: ring.key_id(), ..Header::new(Algorithm::HS256) };
    let forged =
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
    assert_eq!(issuer().verify(&ring, &forged, NOW), Err(TokenError::Invalid));
}

#[test]
fn the_ring_survives_its_record_and_hides_itself() {
    let ring = KeyRing::generate(NOW).unwrap();
    let again: KeyRing = serde_json::from_value(serde_json::to_value(&ring).unwrap()).unwrap();
    assert_eq!(again, ring);
    let token = issuer().access(&ring, &program(), "c", NOW).unwrap();
    assert!(issuer().verify(&again, &token, NOW).is_ok());
    assert!(!format!("{ring:?}").contains("private"));
    let published = serde_json::to_value(ring.public(NOW)).unwrap();
    assert_eq!(published["keys"][0].get("d"), None);
    assert_eq!(published["keys"][0]["crv"], "P-256");
}

#[test]
fn client_info_names_the_account() {
    let user = Principal::user("ada@lab", "Ada", 0).unwrap();
    let info = URL_SAFE_NO_PAD.decode(client_info(&user, issuer().tenant)).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info, json!({ "uid": user.id, "utid": issuer().tenant }));
}
