//! Assertions: which are accepted, and that neither the token nor the key can weaken the check.
//!
//! The RSA tokens were signed with `openssl dgst -sha256 -sign`; their keys were thrown away.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Assertion, AssertionError, Expected, KeySet, claimed_issuer, verify_assertion};
use crate::keys::KeyRing;
use crate::principal::Principal;
use crate::token::{ACCESS_LIFETIME, CLOCK_SKEW, Issuer};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example";

const RSA_MODULUS: &str = "\
    0YWU_sFv_0OgPzjyLH73jg8YV5FRGXArhVCAECyA-\
    8wCr8yuqzgJJHOtyPREy7GhdXFzfRfw5rLWaIdQeS0StlvOlbxHq0rVXuzs8JGRp6uNyUVZIcTJmHsUbIKkCouYlhf\
    qOkb2jqQaVvUkzmFP2eQCn6AsW-aF4JMn0aSKLiZjqmACG5bWDLlE12lAttVyvjOhKgaobC2cqkewbowH_IY-\
    ZZ0J8bpw3W2u6zeVI9TPIYD4J6Tqv7EsuHrwM4xDqtVPspfGd4lT-fGC2PVq_6oQKRWTh779hlrI6bqkSgKOWpzjj-\
    XB1WT8yJ7QJ6wYjjMGHTkNYEYytAvNhrerFw";

const RSA_TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoic\
    mVwbzpsYWIiLCJhdWQiOlsiYXBpOi8vQXp1cmVBRFRva2VuRXhjaGFuZ2UiXSwiZXhwIjoxODAwMDAwNjAwLCJuYmY\
    iOjE4MDAwMDAwMDB9.gYEL1l376R8TEXlN2DRChhYdtPC8wSUYGf73poGgwP2n5tAFqiIsj8e1B79_mOWwZVNwkL-\
    M5HERiuUzQFOr8sLuab-qUSXrxd_lSDHvY9O_V_MSuJ_aWPGzgjwa5Nw8m0MZj7SITxfE2CxiXMWuFXk215-\
    SWczzU2CcSTlFC6cjdj3pqhJWIHi0QccWoYQbfGxm5uSyuO91e22DKbuLJU7DaJIaf6xMckvRFXAIDTTZwrtOJ_mfE\
    OhQNF9ewyUFI56BNuRQ5RThvPDitFM2ce0W0yz6HWxj2WjgQsPf0C-\
    _BZS1ldok9LWUXJ283p8ez3o4g_FiExnFLQMSBHncQQ";

/// 1024 bits.
const SHORT_MODULUS: &str = "\
    vdBW_-\
    W6wPRVqU4DGdYT8GcMz2oGoKXs_5tuWgG_nt1Vg7TEvIRY6RvUpS296MDF1iUZ8XKuR2P0yNyaKhZPgaO0if704hSC\
    TNrLpwz9mzY9ge_fcAqUnfKfVvY7o1MZFg4P6F4YtRVU77z6Mz82nsRFIcvAN_oh_FV98dfoGEE";

const SHORT_TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoic\
    mVwbzpsYWIiLCJhdWQiOlsiYXBpOi8vQXp1cmVBRFRva2VuRXhjaGFuZ2UiXSwiZXhwIjoxODAwMDAwNjAwLCJuYmY\
    iOjE4MDAwMDAwMDB9.pwcvobQXQA6WAyk4QRTWzC3Vz-\
    iiZKw6xemZDZTuk_L_JHGcy2VbzzVSPKlXmc0_FLXz2mSA0RFeJpA-jHJki0gMhoy4-rAg-\
    nTI3E4Llz9sVie7_6NibAHn4QMnHnosHGyAEXiWHG6LqerLr2DDQwRN3e2cYIJ5f-czpA5Psxo";

fn rsa(modulus: &str) -> KeySet {
    keys(&json!({ "kty": "RSA", "kid": "rsa", "n": modulus, "e": "AQAB" }))
}

fn keys(key: &Value) -> KeySet {
    serde_json::from_value(json!({ "keys": [key] })).unwrap()
}

fn verify(token: &str, keys: &KeySet, now: u64) -> Result<Assertion, AssertionError> {
    let audiences = ["api://AzureADTokenExchange".to_owned()];
    let expected = Expected { issuer: ISSUER, subject: Some("repo:lab"), audiences: &audiences };
    verify_assertion(token, keys, &expected, now)
}

#[test]
fn an_rsa_assertion_is_good_for_its_time() {
    let keys = rsa(RSA_MODULUS);
    assert_eq!(verify(RSA_TOKEN, &keys, NOW).unwrap().sub, "repo:lab");
    assert_eq!(claimed_issuer(RSA_TOKEN).as_deref(), Some(ISSUER));
    assert!(verify(RSA_TOKEN, &keys, NOW + 600 + CLOCK_SKEW - 1).is_ok());
    assert_eq!(verify(RSA_TOKEN, &keys, NOW + 600 + CLOCK_SKEW), Err(AssertionError::Expired));
    assert_eq!(verify(RSA_TOKEN, &keys, NOW - CLOCK_SKEW - 1), Err(AssertionError::Early));
}

#[test]
fn keys_that_are_short_unknown_or_of_another_kind_are_refused() {
    assert_eq!(verify(SHORT_TOKEN, &rsa(SHORT_MODULUS), NOW), Err(AssertionError::Algorithm));
    assert_eq!(verify(RSA_TOKEN, &rsa(SHORT_MODULUS), NOW), Err(AssertionError::Algorithm));
    let unknown = keys(&json!({ "kty": "RSA", "kid": "other", "n": RSA_MODULUS, "e": "AQAB" }));
    assert_eq!(verify(RSA_TOKEN, &unknown, NOW), Err(AssertionError::UnknownKey("rsa".to_owned())));
    // A shared secret with the right id: whoever knows the public key could have signed with it.
    let shared = keys(&json!({ "kty": "oct", "kid": "rsa", "k": RSA_MODULUS }));
    assert_eq!(verify(RSA_TOKEN, &shared, NOW), Err(AssertionError::Algorithm));
    assert_eq!(
        verify(RSA_TOKEN, &KeySet { keys: Vec::new() }, NOW),
        Err(AssertionError::UnknownKey("rsa".to_owned()))
    );
}

#[test]
fn another_claim_or_a_changed_signature_is_refused() {
    let keys = rsa(RSA_MODULUS);
    let changed = format!("{}AAAA", &RSA_TOKEN[..RSA_TOKEN.len() - 4]);
    assert_eq!(verify(&changed, &keys, NOW), Err(AssertionError::Invalid));
    let audiences = ["api://AzureADTokenExchange".to_owned()];
    let check = |expected: Expected<'_>, claim: &'static str| {
        assert_eq!(verify_assertion(RSA_TOKEN, &keys, &expected, NOW), Err(AssertionError::Claim(claim)));
    };
    check(Expected { issuer: ISSUER, subject: Some("repo:other"), audiences: &audiences }, "sub");
    check(Expected { issuer: "https://other.example", subject: None, audiences: &audiences }, "iss");
    check(Expected { issuer: ISSUER, subject: None, audiences: &["other".to_owned()] }, "aud");
    for garbage in ["", "a.b.c", &"x".repeat(super::ASSERTION_LENGTH_MAX + 1)] {
        assert_eq!(verify(garbage, &keys, NOW), Err(AssertionError::Invalid));
        assert_eq!(claimed_issuer(garbage), None);
    }
}

#[test]
fn an_elliptic_assertion_is_good_too() {
    let (ring, issuer) = (KeyRing::generate(NOW).unwrap(), Issuer { tenant: Uuid::from_u128(3) });
    let program = Principal::service("elsewhere", NOW).unwrap();
    let token = issuer.access(&ring, &program, "c", NOW).unwrap();
    let (audiences, subject) = ([Issuer::AUDIENCE.to_owned()], program.id.to_string());
    let name = issuer.name();
    let expected = Expected { issuer: &name, subject: Some(&subject), audiences: &audiences };
    let found = verify_assertion(&token, &ring.public(NOW), &expected, NOW).unwrap();
    assert_eq!((found.sub, found.exp), (subject, NOW + ACCESS_LIFETIME));
}
