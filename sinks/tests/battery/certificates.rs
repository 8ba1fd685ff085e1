//! Certificates whose time is over are told in one line when a sink is applied.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::{X509, X509Name};
use watershed_sinks::{Identity, Manifest, Phase, Running};

use crate::cases::until;
use crate::view::View;

/// Of its own authority, from one day of January 2020 to another.
fn certificate(from: &str, to: &str) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_str(from).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_str(to).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

fn old() -> (X509, PKey<Private>) {
    certificate("20200101000000Z", "20200102000000Z")
}

/// A server that shows an old certificate to whoever comes.
fn server() -> SocketAddr {
    let (certificate, key) = old();
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    acceptor.set_private_key(&key).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = acceptor.accept(stream.unwrap());
        }
    });
    address
}

fn manifest(sections: &str) -> Manifest {
    Manifest::parse(&format!("name = \"old\"\nview = \"numbers\"\n{sections}"), "old.toml").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_an_old_certificate_is_told_by_every_kind_of_sink() {
    let address = server();
    for sections in [
        format!("[kafka]\nbrokers = \"{address}\"\n[kafka.security]\ntls = true\n"),
        format!("[webhook]\nurl = \"https://{address}/\"\n"),
        format!("[remote_write]\nurl = \"https://{address}/\"\n"),
        format!("[otlp]\nendpoint = \"https://{address}\"\nprotocol = \"http\"\nevery = \"1ms\"\n"),
        format!("[otlp]\nendpoint = \"https://{address}\"\nprotocol = \"grpc\"\nevery = \"1ms\"\n"),
    ] {
        let manifest = manifest(&sections);
        let identity = Identity { sink: manifest.name.clone(), node: "test".to_owned() };
        let endpoint = manifest.kind.endpoint(identity, None).unwrap();
        let view = View::new(true);
        view.set("a", 1);
        let running = Running::start(Arc::new(view), endpoint, manifest.budget);
        let status = Arc::clone(running.status());
        until(&sections, || status.snapshot().phase == Phase::Failed).await;
        assert_eq!(
            status.snapshot().reason,
            format!("the certificate of {address} ended on Jan  2 00:00:00 2020 GMT: the server needs a new one")
        );
        running.stop().await;
    }
}

#[test]
fn an_old_certificate_of_ones_own_is_refused_with_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let (first, key) = old();
    let (second, _) = certificate("20200101000000Z", "21200101000000Z");
    let (first, second) = (first.to_pem().unwrap(), second.to_pem().unwrap());
    write("old.pem", &first);
    write("both.pem", &[&first[..], &second[..]].concat());
    write("key.pem", &key.private_key_to_pem_pkcs8().unwrap());
    write("none.pem", b"text");
    let checked = |ca: &str, certificate: &str| {
        let of = |name: &str| folder.path().join(name).display().to_string();
        let security = format!("ca = {:?}\ncertificate = {:?}\nkey = {:?}\n", of(ca), of(certificate), of("key.pem"));
        let manifest = manifest(&format!("[kafka]\nbrokers = \"127.0.0.1:1\"\n[kafka.security]\n{security}"));
        manifest.kind.check(&View::new(true).shape()).map_err(|error| error.to_string())
    };
    assert_eq!(checked("both.pem", "both.pem"), Ok(()));
    for (certificate, reason) in [
        ("old.pem", "ended on Jan  2 00:00:00 2020 GMT: renew it"),
        ("none.pem", "has no certificate in PEM"),
        ("missing.pem", "No such file"),
    ] {
        let refusal = checked("both.pem", certificate).unwrap_err();
        assert!(refusal.contains(certificate) && refusal.contains(reason), "{refusal}");
        assert!(checked(certificate, "both.pem").unwrap_err().contains(reason));
    }
}
