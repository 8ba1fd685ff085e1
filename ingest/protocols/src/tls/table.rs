//! Columns of `tls_events`.

use super::frame::{Hello, subject};
use crate::exchange::Exchange;
use crate::json::{self, Object};
use crate::reader::Reader;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const CIPHERS_MAX: usize = 64;

fn version(out: &mut Vec<u8>, version: u16) {
    match version {
        0x0300 => json::string(out, b"SSL 3.0"),
        0x0301..=0x0304 => json::string(out, &[b'T', b'L', b'S', b' ', b'1', b'.', b'0' + (version & 15) as u8 - 1]),
        _ => number(out, version),
    }
}

fn number(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(b"\"0x");
    json::hex(out, &value.to_be_bytes());
    out.push(b'"');
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).filter(|value| !is_grease(*value))
}

/// RFC 8701: values without meaning, which keep servers tolerant.
fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 255
}

fn alpn(extension: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(extension.get(2..).unwrap_or_default());
    std::iter::from_fn(move || {
        let length = usize::from(reader.u8()?);
        reader.take(length)
    })
}

/// The client's hello.
pub(super) fn set_client(exchange: &mut Exchange, hello: &Hello<'_>) {
    exchange.set_int(0, 22);
    exchange.write_text(1, |out| {
        let mut object = Object::new(out);
        version(object.key("version"), hello.version);
        if let Some(versions) = hello.extension(SUPPORTED_VERSIONS) {
            object.list("supported_versions", numbers(versions.get(1..).unwrap_or_default()), version);
        }
        if let Some(name) = hello.extension(SERVER_NAME).and_then(|names| names.get(5..)) {
            object.text("server_name", name);
        }
        if let Some(protocols) = hello.extension(ALPN) {
            object.list("alpn", alpn(protocols), json::string);
        }
        object.list("ciphers", numbers(hello.ciphers).take(CIPHERS_MAX), number);
        object.end();
    });
}

/// The server's hello and its certificate, if it was in clear.
pub(super) fn set_server(exchange: &mut Exchange, hello: &Hello<'_>, certificate: Option<&[u8]>) {
    exchange.write_text(2, |out| {
        let mut object = Object::new(out);
        let chosen = hello.extension(SUPPORTED_VERSIONS).and_then(|version| Reader::new(version).u16());
        version(object.key("version"), chosen.unwrap_or(hello.version));
        if let Some(cipher) = Reader::new(hello.ciphers).u16() {
            number(object.key("cipher"), cipher);
        }
        if let Some(protocol) = hello.extension(ALPN).and_then(|protocols| alpn(protocols).next()) {
            object.text("alpn", protocol);
        }
        let mut text = Vec::new();
        if certificate.is_some_and(|message| subject(message, &mut text).is_some()) {
            object.text("certificate_subject", &text);
        }
        object.end();
    });
}

/// What the server said instead of a hello.
pub(super) fn set_alert(exchange: &mut Exchange, code: u8) {
    exchange.failed = true;
    exchange.write_text(2, |out| {
        let mut object = Object::new(out);
        object.int("alert", i64::from(code)).end();
    });
}
