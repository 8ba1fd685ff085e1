//! Certificates whose time is over. TLS libraries say that a certificate could not be verified; this says why.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslRef, SslVerifyMode};
use openssl::x509::{X509, X509Ref};

/// Whoever does not answer in this time says nothing of certificates.
const ANSWER: Duration = Duration::from_secs(3);

/// Why the certificates in a PEM file cannot be used, if they cannot.
pub(crate) fn check_file(path: &Path) -> Result<(), String> {
    let name = path.display();
    let pem = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    let found = X509::stack_from_pem(&pem).ok().filter(|found| !found.is_empty());
    let found = found.ok_or_else(|| format!("{name} has no certificate in PEM"))?;
    // A file of authorities may hold old ones beside those that count.
    let ends: Vec<_> = found.iter().filter_map(|certificate| ended(certificate)).collect();
    match ends.last() {
        Some(when) if ends.len() == found.len() => Err(format!("the certificate in {name} ended on {when}: renew it")),
        _ => Ok(()),
    }
}

/// Why the certificate that a server shows cannot be trusted: its time, or the time of one that stands for it, is over.
/// Blocks.
pub(crate) fn of_server(host: &str, port: u16) -> Option<String> {
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, ANSWER).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    stream.set_write_timeout(Some(ANSWER)).ok()?;
    let mut connector = SslConnector::builder(SslMethod::tls_client()).ok()?;
    connector.set_verify(SslVerifyMode::NONE);
    let connection = connector.build().configure().ok()?.verify_hostname(false);
    let when = match connection.connect(host, stream) {
        Ok(stream) => shown(stream.ssl()),
        // It may want a certificate of ours, but has shown its own by then.
        Err(HandshakeError::Failure(stream) | HandshakeError::WouldBlock(stream)) => shown(stream.ssl()),
        Err(HandshakeError::SetupFailure(_)) => None,
    }?;
    Some(format!("the certificate of {host}:{port} ended on {when}: the server needs a new one"))
}

fn shown(connection: &SslRef) -> Option<String> {
    let own = connection.peer_certificate();
    let others = connection.peer_cert_chain().into_iter().flatten();
    own.as_deref().into_iter().chain(others).find_map(ended)
}

/// When the certificate's time was over, if it is.
fn ended(certificate: &X509Ref) -> Option<String> {
    let is_over = || -> Result<bool, ErrorStack> { Ok(certificate.not_after() < Asn1Time::days_from_now(0)?.as_ref()) };
    is_over().ok()?.then(|| certificate.not_after().to_string())
}
