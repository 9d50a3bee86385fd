use std::io::{Read as _, Write as _};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConnection, ServerConfig, ServerConnection};

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server of `issuer` for `name` that sends `chain` after its own certificate.
fn server(issuer: &Issuer, name: &str, chain: &[&Issuer]) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    let chain = std::iter::once(own.der().clone()).chain(chain.iter().map(|issuer| issuer.der().clone()));
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain.collect(), key).unwrap())
}

/// Shakes hands in memory with `server.test`.
fn shake(client: ClientConfig, server: Arc<ServerConfig>) -> Result<(), String> {
    let mut client = ClientConnection::new(client.into(), "server.test".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        wire.clear();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|error| error.to_string())?;
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().map_err(|error| error.to_string())?;
        }
    }
    client.writer().write_all(b"?").unwrap();
    wire.clear();
    client.write_tls(&mut wire).unwrap();
    server.read_tls(&mut wire.as_slice()).unwrap();
    server.process_new_packets().map_err(|error| error.to_string())?;
    let mut byte = [0];
    server.reader().read_exact(&mut byte).map_err(|error| error.to_string())
}

#[test]
fn a_pinned_authority_is_believed_and_no_other() {
    let (known, other) = (authority("known"), authority("other"));
    let pin = Authority::from_pem(&known.pem()).unwrap().fingerprint();
    let client = || pinned(pin).unwrap();
    shake(client(), server(&known, "server.test", &[&known])).unwrap();
    for (case, server) in [
        ("the authority is not sent", server(&known, "server.test", &[])),
        ("it is another", server(&other, "server.test", &[&other])),
        ("it is sent, but did not sign", server(&other, "server.test", &[&known])),
        ("the server has another name", server(&known, "elsewhere.test", &[&known])),
    ] {
        assert!(shake(client(), server).is_err(), "{case}");
    }
}

#[test]
fn a_given_authority_needs_not_be_sent() {
    let (known, other) = (authority("known"), authority("other"));
    let client = || anchored(&Authority::from_pem(&known.pem()).unwrap()).unwrap();
    shake(client(), server(&known, "server.test", &[])).unwrap();
    assert!(shake(client(), server(&other, "server.test", &[&other])).is_err());
}

#[test]
fn a_key_and_a_certificate_must_fit() {
    let known = authority("known");
    let trusted = Authority::from_pem(&known.pem()).unwrap();
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let own = CertificateParams::new([]).unwrap().signed_by(&key, &known).unwrap().pem();
    mutual(&trusted, &(key.serialize_pem() + &own)).unwrap();
    assert!(mutual(&trusted, &(other.serialize_pem() + &own)).is_err());
    assert!(mutual(&trusted, &own).unwrap_err().to_string().starts_with("the host's key is not PEM"));
    assert!(Authority::from_pem("nothing").is_err());
}
