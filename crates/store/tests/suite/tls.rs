//! etcd over TLS: each side is who the other's authority says it is, or nothing is said.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use palisade_store::url::EtcdTls;
use palisade_store::{Etcd, Op, StoreError, StoreUrl, Transaction, url};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::support::EtcdServer;

/// Writes a file and returns where.
fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// An authority, its certificate written down.
fn authority(folder: &Path, name: &str) -> (Issuer<'static, KeyPair>, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), file(folder, name, &pem))
}

/// A certificate and its key, written down.
fn certificate(folder: &Path, name: &str, issuer: &Issuer<'static, KeyPair>) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let pem = params.signed_by(&key, issuer).unwrap().pem();
    (file(folder, &format!("{name}.pem"), &pem), file(folder, &format!("{name}.key"), &key.serialize_pem()))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, ca) = authority(folder.path(), "ca.pem");
    let (_, other_ca) = authority(folder.path(), "other.pem");
    let (server_cert, server_key) = certificate(folder.path(), "server", &issuer);
    let own = Some(certificate(folder.path(), "client", &issuer));
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let files = [path(&server_cert), path(&server_key), path(&ca)];
    let arguments = [
        "--cert-file",
        &files[0],
        "--key-file",
        &files[1],
        "--trusted-ca-file",
        &files[2],
        "--client-cert-auth",
    ];
    let good = EtcdTls { ca: ca.clone(), own: own.clone() };
    let Some(server) = EtcdServer::start_with(&arguments, Some(good)).await else { return };

    let text = StoreUrl::Etcd(server.url("tls")).to_string();
    let store = url::open(&text.parse().unwrap(), folder.path()).await.unwrap();
    let ops = vec![Op::Put("a".to_owned(), Bytes::from_static(b"1"))];
    store.commit(Transaction { guards: vec![], ops }).await.unwrap();
    assert_eq!(store.snapshot("").await.unwrap().entries.len(), 1);

    let stranger = Some(EtcdTls { ca: ca.clone(), own: None });
    let misled = Some(EtcdTls { ca: other_ca, own: own.clone() });
    for tls in [None, stranger, misled] {
        let error = Etcd::open(&url::EtcdUrl { tls: tls.clone(), ..server.url("tls") }).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{tls:?}: {error}");
    }
    let missing = Some(EtcdTls { ca: folder.path().join("missing"), own });
    let error = Etcd::open(&url::EtcdUrl { tls: missing, ..server.url("tls") }).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}
