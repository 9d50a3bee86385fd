//! Certificates as strict clients see them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DnType, IsCa, KeyPair};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::WebPkiClientVerifier,
};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::*;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn authority() -> Authority {
    install_provider();
    Authority::from_record(&Authority::make(now()).unwrap()).unwrap()
}

fn roots(authority: &Authority) -> std::sync::Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der().to_vec())).unwrap();
    roots.into()
}

fn names(extra: &[&str]) -> ServerNames {
    let extra: Vec<_> = extra.iter().map(ToString::to_string).collect();
    ServerNames::new(&["192.0.2.7:443".parse().unwrap(), "0.0.0.0:8443".parse().unwrap()], &extra)
}

/// Whether a client that used `name` at `time` trusts what the server shows.
fn is_trusted(authority: &Authority, shown: &Credentials, name: &str, time: SystemTime) -> bool {
    let verifier = WebPkiServerVerifier::builder(roots(authority)).build().unwrap();
    let time = UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&shown.chain[0], &shown.chain[1..], &name, &[], time).is_ok()
}

#[test]
fn clients_trust_every_name_of_the_server_for_its_time() {
    let authority = authority();
    let shown = authority.sign_server(&names(&["palisade.lab", "10.1.2.3"]), now()).unwrap();
    for name in ["localhost", "127.0.0.1", "::1", "192.0.2.7", "palisade.lab", "10.1.2.3"] {
        assert!(is_trusted(&authority, &shown, name, now()), "{name}");
    }
    assert!(!is_trusted(&authority, &shown, "other.lab", now()));
    assert!(!is_trusted(&authority, &shown, "0.0.0.0", now()));
    assert!(is_trusted(&authority, &shown, "localhost", now() + renewal_delay()));
    assert!(!is_trusted(&authority, &shown, "localhost", now() + SERVER_LIFETIME + Duration::from_secs(1)));
    assert!(!is_trusted(&self::authority(), &shown, "localhost", now()), "another authority");
}

#[test]
fn certificates_carry_what_strict_clients_ask_for() {
    let authority = authority();
    let shown = authority.sign_server(&names(&[]), now()).unwrap();
    for (der, is_ca) in [(shown.chain[0].to_vec(), false), (authority.der().to_vec(), true)] {
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(certificate.is_ca(), is_ca);
        assert!(certificate.key_usage().unwrap().is_some_and(|usage| usage.critical));
        let has = |wanted: fn(&ParsedExtension<'_>) -> bool| {
            certificate.extensions().iter().any(|extension| wanted(extension.parsed_extension()))
        };
        assert!(has(|extension| matches!(extension, ParsedExtension::AuthorityKeyIdentifier(_))));
        assert!(has(|extension| matches!(extension, ParsedExtension::SubjectKeyIdentifier(_))));
        assert!(certificate.raw_serial().len() <= 20 && certificate.raw_serial()[0] < 0x80);
    }
}

fn request(change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "root of all");
    change(&mut params);
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
}

#[test]
fn of_a_request_only_the_key_counts() {
    let authority = authority();
    let greedy = request(|params| {
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    for request in [request(|_| {}), greedy] {
        let signed = authority.sign_host(&request, "host-a", now()).unwrap();
        let der = certificate::first_der(&signed.pem).unwrap();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        assert!(!certificate.is_ca());
        assert!(certificate.subject_alternative_name().unwrap().is_none());
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
        let identity = host_of(&der).unwrap();
        assert_eq!((identity.host.as_str(), &identity.serial), ("host-a", &signed.serial));
        assert_eq!(identity.not_after, signed.not_after);
        let verifier = WebPkiClientVerifier::builder(roots(&authority)).build().unwrap();
        let at = |time: SystemTime| UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap());
        let der = CertificateDer::from(der);
        assert!(verifier.verify_client_cert(&der, &[], at(now())).is_ok());
        assert!(verifier.verify_client_cert(&der, &[], at(now() + HOST_LIFETIME * 2)).is_err());
        // A host's certificate is no server's.
        let shown = Credentials::new(vec![der.to_vec()], KeyPair::generate().unwrap().serialize_der());
        assert!(!is_trusted(&authority, &shown, "localhost", now()));
    }
}

#[test]
fn bad_requests_and_records_are_refused() {
    let authority = authority();
    for request in [
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        &"x".repeat(20_000),
    ] {
        assert!(matches!(authority.sign_host(request, "h", now()), Err(TlsError::Request(_))));
    }
    for record in [serde_json::json!({}), serde_json::json!({ "certificate": "x", "key": "y" })] {
        assert!(matches!(Authority::from_record(&record), Err(TlsError::Damaged(_))));
    }
    assert_eq!(host_of(b"no certificate"), None);
    assert_eq!(authority.fingerprint().len(), 32);
}

#[test]
fn the_operators_own_certificate_comes_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["own.lab".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(path("cert.pem"), own.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    install_provider();
    let read = Credentials::from_files(&path("cert.pem"), &path("key.pem")).unwrap();
    assert_eq!(read.chain, [own.der().clone()]);
    assert!(api_config(read).is_ok());
    let wrong = Credentials::from_files(&path("key.pem"), &path("key.pem")).unwrap_err();
    assert!(wrong.to_string().contains("holds no certificate"), "{wrong}");
    let wrong = Credentials::from_files(&path("none.pem"), &path("key.pem")).unwrap_err();
    assert!(wrong.to_string().contains("none.pem"), "{wrong}");
}
