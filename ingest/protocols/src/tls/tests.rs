use super::Tls;
use crate::conformance::{check, fuzz_mutations, recorded};
use crate::protocol::Setup;

const COLUMNS: usize = 3;

#[test]
fn handshakes_of_openssl_show_names_versions_and_certificates() {
    let rows: Vec<String> = recorded(include_str!("../../fixtures/tls.txt"))
        .iter()
        .flat_map(|conversation| check::<Tls>(conversation, Setup::default(), COLUMNS))
        .collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert!(row.contains(r#""server_name":"www.example.test","alpn":["h2","http/1.1"]"#), "{row}");
    }
    assert!(rows[0].contains(r#"|{"version":"TLS 1.2","cipher":"0xc030","alpn":"h2","#), "{}", rows[0]);
    assert!(rows[0].contains(r#""certificate_subject":"O=Example Org,CN=www.example.test""#), "{}", rows[0]);
    assert!(rows[1].contains(r#"|{"version":"TLS 1.3","cipher":"0x1302"}"#), "{}", rows[1]);
}

#[test]
fn mutated_handshakes_do_no_harm() {
    for conversation in recorded(include_str!("../../fixtures/tls.txt")) {
        fuzz_mutations::<Tls>(&conversation, 50_000);
    }
}
