//! Connections whose addresses are changed on the way, such as those to the address of a service, as the kernel's
//! connection tracking of this network namespace tells over netlink.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};

use crate::event::{Endpoint, Ends, Event, Translation};

/// The kernel sends no larger message.
const MESSAGE_BYTES: usize = 64 << 10;
/// Messages of one drain; the rest waits for the next one.
const MESSAGES_MAX: usize = 100_000;
/// Message types: subsystem 1 is connection tracking.
const NEW: u16 = 1 << 8;
const DUMP: u16 = 1 << 8 | 1;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP_FLAGS: u16 = 0x301;
/// Messages were lost.
const ENOBUFS: i32 = 105;
const HEADER_BYTES: usize = 16;
/// `nfgenmsg`, between the header and the attributes.
const FAMILY_BYTES: usize = 4;
/// Attributes, as `nfnetlink_conntrack.h` numbers them.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const SOURCES: [u16; 2] = [1, 3];
const DESTINATIONS: [u16; 2] = [2, 4];
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// A socket that is told of every connection that is tracked.
pub(crate) struct Conntrack {
    socket: File,
    buffer: Vec<u8>,
}

impl Conntrack {
    /// `None` where connections are not tracked, or this process may not ask.
    pub(crate) fn open() -> Option<Self> {
        let mut socket = watershed_bpf::conntrack().ok()?;
        let length = (HEADER_BYTES + FAMILY_BYTES) as u32;
        let mut dump = length.to_ne_bytes().to_vec();
        dump.extend([DUMP.to_ne_bytes(), DUMP_FLAGS.to_ne_bytes()].concat());
        dump.resize(HEADER_BYTES + FAMILY_BYTES, 0);
        socket.write_all(&dump).ok()?;
        Some(Conntrack { socket, buffer: vec![0; MESSAGE_BYTES] })
    }

    /// Hands out what was told since the last call; at first, also of connections that were there.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(&Event<'_>)) {
        let mut overruns = 0;
        for _ in 0..MESSAGES_MAX {
            match self.socket.read(&mut self.buffer) {
                Ok(length) => {
                    let messages = self.buffer.get(..length).unwrap_or_default();
                    translations(messages, &mut |translation| each(&Event::Translated(translation)));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => overruns += 1,
                Err(_) => break,
            }
        }
        if overruns > 0 {
            each(&Event::Loss { source: "kernel", reason: "translations_overrun", count: overruns, bytes: 0 });
        }
    }
}

/// The translated connections in netlink messages, one behind the other.
fn translations(mut messages: &[u8], each: &mut dyn FnMut(Translation)) {
    while let Some(length) = u32_at(messages, 0) {
        let length = length as usize;
        let Some(message) = messages.get(..length).filter(|_| length >= HEADER_BYTES) else { return };
        let body = message.get(HEADER_BYTES + FAMILY_BYTES..).filter(|_| u16_at(message, 4) == Some(NEW));
        if let Some(translation) = body.and_then(translation) {
            each(translation);
        }
        messages = messages.get(aligned(length)..).unwrap_or_default();
    }
}

fn translation(body: &[u8]) -> Option<Translation> {
    let client = ends(attribute(body, ORIGINAL)?)?;
    // Replies go from the server's end to the client's.
    let server = ends(attribute(body, REPLY)?)?;
    (server != client.mirrored()).then_some(Translation { client, server })
}

/// The ends as the sender of that direction has them, if the protocol has ports.
fn ends(nested: &[u8]) -> Option<Ends> {
    let (addresses, protocol) = (attribute(nested, TUPLE_IP)?, attribute(nested, TUPLE_PROTOCOL)?);
    let number = *attribute(protocol, NUMBER)?.first()?;
    let address = |kinds: [u16; 2]| kinds.into_iter().find_map(|kind| mapped(attribute(addresses, kind)?));
    let port = |kind| Some(u16::from_be_bytes(attribute(protocol, kind)?.get(..2)?.try_into().ok()?));
    let end = |address, port| Some(Endpoint { address: address?, port: port? });
    let local = end(address(SOURCES), port(SOURCE_PORT))?;
    let remote = end(address(DESTINATIONS), port(DESTINATION_PORT))?;
    matches!(number, TCP | UDP).then_some(Ends { local, remote })
}

/// An address with IPv4 mapped into IPv6.
fn mapped(bytes: &[u8]) -> Option<[u8; 16]> {
    let short = || Some(std::net::Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_ipv6_mapped().octets());
    bytes.try_into().ok().or_else(short)
}

/// The payload of an attribute; the two highest bits of its type are flags.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (length, kind) = (usize::from(u16_at(attributes, 0)?), u16_at(attributes, 2)?);
        let whole = attributes.get(..length).filter(|_| length >= 4)?;
        if kind & 0x3fff == wanted {
            return whole.get(4..);
        }
        attributes = attributes.get(aligned(length)..)?;
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = [((payload.len() + 4) as u16).to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(payload);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn direction(kind: u16, from: (&[u8], u16), to: (&[u8], u16), protocol: u8) -> Vec<u8> {
        let (source, destination) = if from.0.len() == 4 { (1, 2) } else { (3, 4) };
        let addresses = [nested(source, from.0), nested(destination, to.0)].concat();
        let ports = [nested(2, &from.1.to_be_bytes()), nested(3, &to.1.to_be_bytes())].concat();
        let protocol = [nested(1, &[protocol]), ports].concat();
        nested(kind | 0x8000, &[nested(1 | 0x8000, &addresses), nested(2 | 0x8000, &protocol)].concat())
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER_BYTES + FAMILY_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER_BYTES + FAMILY_BYTES, 0);
        bytes.extend(body);
        bytes
    }

    fn end(address: &[u8], port: u16) -> Endpoint {
        Endpoint { address: mapped(address).expect("an address"), port }
    }

    fn found(messages: &[u8]) -> Vec<Translation> {
        let mut found = Vec::new();
        translations(messages, &mut |translation| found.push(translation));
        found
    }

    #[test]
    fn only_connections_with_changed_addresses_are_told_whatever_stands_between_them() {
        let (pod, service, server) = ([10, 88, 1, 2], [10, 96, 0, 7], [10, 88, 2, 3]);
        let asked = direction(1, (&pod, 4000), (&service, 80), TCP);
        let answered = direction(2, (&server, 8080), (&pod, 4000), TCP);
        let translated = [nested(3, &[0; 4]), asked, answered].concat();
        let asked = direction(1, (&pod, 4001), (&server, 8080), TCP);
        let direct = [asked, direction(2, (&server, 8080), (&pod, 4001), TCP)].concat();
        let wide = [[1_u8; 16], [2; 16], [3; 16]];
        let asked = direction(1, (&wide[0], 53), (&wide[1], 53), UDP);
        let datagrams = [asked, direction(2, (&wide[2], 5353), (&wide[0], 53), UDP)].concat();
        let ping = direction(1, (&pod, 0), (&service, 0), 1);
        let done = message(3, &[0; 4]);
        let messages = [&translated, &direct, &ping, &datagrams].map(|body| message(NEW, body));
        let found = found(&[messages.concat(), done, message(NEW, &translated)].concat());
        let first = Translation {
            client: Ends { local: end(&pod, 4000), remote: end(&service, 80) },
            server: Ends { local: end(&server, 8080), remote: end(&pod, 4000) },
        };
        assert_eq!(found.len(), 3);
        assert_eq!((found[0], found[2]), (first, first));
        assert_eq!(found[1].server.local, end(&wide[2], 5353));
    }

    #[test]
    fn messages_that_are_cut_or_garbled_are_survived() {
        let asked = direction(1, (&[1, 2, 3, 4], 1), (&[5, 6, 7, 8], 2), TCP);
        let answered = direction(2, (&[9, 9, 9, 9], 2), (&[1, 2, 3, 4], 1), TCP);
        let whole = message(NEW, &[asked, answered].concat());
        for length in 0..whole.len() {
            assert!(found(&whole[..length]).is_empty());
            let mut garbled = whole.clone();
            garbled[length] ^= 0xff;
            assert!(found(&garbled).len() <= 1);
        }
    }
}
