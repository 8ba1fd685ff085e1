//! Records and the handshake messages in them (RFC 8446, sections 4 and 5).

use crate::reader::Reader;

pub(super) const HEADER_BYTES: usize = 5;
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const SERVER_HELLO_DONE: u8 = 14;
const RECORD_BYTES_MAX: usize = (16 << 10) + 2048;

/// Kind and length of the content of a record that starts so.
pub(super) fn record(bytes: &[u8]) -> Option<(u8, usize)> {
    let [kind, 3, minor, high, low] = *bytes.first_chunk::<HEADER_BYTES>()? else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let sound = (20..=24).contains(&kind) && minor <= 4 && length <= RECORD_BYTES_MAX;
    let sound = sound && (length > 0 || kind == APPLICATION_DATA);
    let sound = sound && (kind != CHANGE_CIPHER_SPEC || length == 1);
    sound.then_some((kind, length))
}

/// Handshake messages of a record's content, as far as they are there; whether each is whole.
pub(super) fn messages(content: &[u8]) -> impl Iterator<Item = (u8, &[u8], bool)> {
    let mut reader = Reader::new(content);
    std::iter::from_fn(move || {
        let [kind, a, b, c] = reader.array::<4>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let there = length.min(reader.rest().len());
        Some((kind, reader.take(there)?, there == length))
    })
}

/// The fields of a hello.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hello<'a> {
    pub(super) version: u16,
    pub(super) ciphers: &'a [u8],
    pub(super) extensions: &'a [u8],
}

impl<'a> Hello<'a> {
    pub(super) fn read(message: &'a [u8], from_client: bool) -> Option<Self> {
        let mut reader = Reader::new(message);
        let version = reader.u16()?;
        reader.take(32)?;
        let session = usize::from(reader.u8()?);
        reader.take(session)?;
        let ciphers = if from_client {
            let length = usize::from(reader.u16()?);
            let ciphers = reader.take(length)?;
            let methods = usize::from(reader.u8()?);
            reader.take(methods)?;
            ciphers
        } else {
            let cipher = reader.take(2)?;
            reader.u8()?;
            cipher
        };
        let length = usize::from(reader.u16().unwrap_or(0)).min(reader.rest().len());
        Some(Hello { version, ciphers, extensions: reader.take(length).unwrap_or_default() })
    }

    pub(super) fn extension(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.extensions);
        loop {
            let (kind, length) = (reader.u16()?, usize::from(reader.u16()?));
            let data = reader.take(length)?;
            if kind == wanted {
                return Some(data);
            }
        }
    }
}

/// The content of a DER value with one of its tags, and what follows.
fn der<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let tag = reader.u8()?;
    let first = reader.u8()?;
    let length = match first {
        0..0x80 => usize::from(first),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        0x80 | 0x83.. => return None,
    };
    Some((tag, reader.take(length)?))
}

/// Appends the subject of the first certificate of a `Certificate` message (before TLS 1.3) as `CN=a,O=b`.
pub(super) fn subject(message: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(message);
    reader.take(6)?;
    let (_, certificate) = der(&mut reader)?;
    let (_, body) = der(&mut Reader::new(certificate))?;
    let mut fields = Reader::new(body);
    let (first, _) = der(&mut fields)?;
    // Version (if any), serial, algorithm, issuer, validity come before the subject.
    for _ in 0..if first == 0xa0 { 4 } else { 3 } {
        der(&mut fields)?;
    }
    let (_, subject) = der(&mut fields)?;
    let mut names = Reader::new(subject);
    while let Some((_, set)) = der(&mut names) {
        let (_, pair) = der(&mut Reader::new(set))?;
        let mut pair = Reader::new(pair);
        let ((_, id), (_, value)) = (der(&mut pair)?, der(&mut pair)?);
        let name = match id {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 6] => "C",
            [0x55, 4, 7] => "L",
            [0x55, 4, 8] => "ST",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            _ => continue,
        };
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value);
    }
    Some(())
}
