//! Resource records as JSON.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::frame::{Record, end_of_name, name};
use crate::json::{self, Object};
use crate::reader::Reader;

/// The mnemonic of a record or question type.
pub(super) fn kind_name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        11 => "WKS",
        12 => "PTR",
        13 => "HINFO",
        14 => "MINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        42 => "APL",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        108 => "EUI48",
        109 => "EUI64",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        _ => return None,
    })
}

/// Appends a type's mnemonic, or `TYPE` and its number, quoted.
pub(super) fn write_kind(out: &mut Vec<u8>, kind: u16) {
    match kind_name(kind) {
        Some(known) => json::string(out, known.as_bytes()),
        None => {
            out.extend_from_slice(b"\"TYPE");
            json::int(out, i64::from(kind));
            out.push(b'"');
        }
    }
}

/// Appends a quoted name.
pub(super) fn write_name(out: &mut Vec<u8>, message: &[u8], at: usize) {
    let mut text = Vec::with_capacity(64);
    name(message, at, &mut text);
    json::string(out, &text);
}

/// Appends a record as an object.
pub(super) fn write(out: &mut Vec<u8>, message: &[u8], record: &Record<'_>) {
    let mut object = Object::new(out);
    write_name(object.key("name"), message, record.question.name);
    write_kind(object.key("type"), record.question.kind);
    object.int("ttl", i64::from(record.ttl));
    if data(&mut object, message, record).is_none() {
        write_hex(object.key("rdata"), record.data);
    }
    object.end();
}

fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    json::hex(out, bytes);
    out.push(b'"');
}

/// The members of a type's data; `None` where they are not what the type says, before anything was written.
fn data(object: &mut Object<'_>, message: &[u8], record: &Record<'_>) -> Option<()> {
    let mut reader = Reader::new(record.data);
    let at = record.at;
    match record.question.kind {
        1 => {
            let address = Ipv4Addr::from(reader.array::<4>()?);
            object.text("addr", address.to_string().as_bytes());
        }
        28 => {
            let address = Ipv6Addr::from(reader.array::<16>()?);
            object.text("addr", address.to_string().as_bytes());
        }
        5 => named(object, "cname", message, at, record)?,
        2 => named(object, "ns", message, at, record)?,
        12 => named(object, "ptr", message, at, record)?,
        39 => named(object, "dname", message, at, record)?,
        15 | 18 | 36 => {
            let preference = reader.u16()?;
            let exchange = at + 2;
            end_of_name(message, exchange)?;
            object.int("preference", i64::from(preference));
            write_name(object.key("exchange"), message, exchange);
        }
        16 | 99 => {
            object.list("text", strings(record.data), json::string);
        }
        6 => soa(object, message, record)?,
        33 => {
            let (priority, weight, port) = (reader.u16()?, reader.u16()?, reader.u16()?);
            end_of_name(message, at + 6)?;
            object.int("priority", priority.into()).int("weight", weight.into()).int("port", port.into());
            write_name(object.key("target"), message, at + 6);
        }
        35 => naptr(object, message, record)?,
        257 => {
            let (flags, length) = (reader.u8()?, usize::from(reader.u8()?));
            let tag = reader.take(length)?;
            object.int("flags", flags.into()).text("tag", tag).text("value", reader.rest());
        }
        256 => {
            let (priority, weight) = (reader.u16()?, reader.u16()?);
            object.int("priority", priority.into()).int("weight", weight.into()).text("target", reader.rest());
        }
        43 | 59 => {
            let (tag, algorithm, digest) = (reader.u16()?, reader.u8()?, reader.u8()?);
            object.int("key_tag", tag.into()).int("algorithm", algorithm.into()).int("digest_type", digest.into());
            write_hex(object.key("digest"), reader.rest());
        }
        48 | 60 => {
            let (flags, protocol, algorithm) = (reader.u16()?, reader.u8()?, reader.u8()?);
            object.int("flags", flags.into()).int("protocol", protocol.into()).int("algorithm", algorithm.into());
            write_hex(object.key("public_key"), reader.rest());
        }
        44 => {
            let (algorithm, kind) = (reader.u8()?, reader.u8()?);
            object.int("algorithm", algorithm.into()).int("fp_type", kind.into());
            write_hex(object.key("fingerprint"), reader.rest());
        }
        52 | 53 => {
            let (usage, selector, matching) = (reader.u8()?, reader.u8()?, reader.u8()?);
            object.int("usage", usage.into()).int("selector", selector.into()).int("matching_type", matching.into());
            write_hex(object.key("data"), reader.rest());
        }
        46 => rrsig(object, message, record)?,
        47 => {
            let end = end_of_name(message, at)?;
            let bitmap = message.get(end..at + record.data.len())?;
            write_name(object.key("next"), message, at);
            object.list("types", bitmap_kinds(bitmap), write_kind);
        }
        50 | 51 => nsec3(object, record)?,
        64 | 65 => svcb(object, message, record)?,
        13 => {
            object.list("text", strings(record.data), json::string);
        }
        _ => return None,
    }
    Some(())
}

fn named(object: &mut Object<'_>, key: &str, message: &[u8], at: usize, record: &Record<'_>) -> Option<()> {
    (end_of_name(message, at)? <= at + record.data.len()).then(|| write_name(object.key(key), message, at))
}

/// Character strings, each behind its length.
fn strings(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(data);
    std::iter::from_fn(move || {
        let length = usize::from(reader.u8()?);
        let text = reader.take(length.min(reader.rest().len()))?;
        Some(text)
    })
}

fn soa(object: &mut Object<'_>, message: &[u8], record: &Record<'_>) -> Option<()> {
    let mailbox = end_of_name(message, record.at)?;
    let end = end_of_name(message, mailbox)?;
    let mut reader = Reader::new(message.get(end..)?);
    let numbers = [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?];
    write_name(object.key("mname"), message, record.at);
    write_name(object.key("rname"), message, mailbox);
    for (key, value) in ["serial", "refresh", "retry", "expire", "minimum"].iter().zip(numbers) {
        object.int(key, value.into());
    }
    Some(())
}

fn naptr(object: &mut Object<'_>, message: &[u8], record: &Record<'_>) -> Option<()> {
    let mut reader = Reader::new(record.data);
    let (order, preference) = (reader.u16()?, reader.u16()?);
    let mut texts = [&b""[..]; 3];
    for text in &mut texts {
        let length = usize::from(reader.u8()?);
        *text = reader.take(length)?;
    }
    let replacement = record.at + record.data.len() - reader.rest().len();
    end_of_name(message, replacement)?;
    object.int("order", order.into()).int("preference", preference.into());
    object.text("flags", texts[0]).text("service", texts[1]).text("regexp", texts[2]);
    write_name(object.key("replacement"), message, replacement);
    Some(())
}

fn rrsig(object: &mut Object<'_>, message: &[u8], record: &Record<'_>) -> Option<()> {
    let mut reader = Reader::new(record.data);
    let (covered, algorithm, labels) = (reader.u16()?, reader.u8()?, reader.u8()?);
    let (ttl, expires, begins, tag) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u16()?);
    let signer = record.at + 18;
    let end = end_of_name(message, signer)?;
    let signature = message.get(end..record.at + record.data.len())?;
    write_kind(object.key("covered"), covered);
    object.int("algorithm", algorithm.into()).int("labels", labels.into()).int("original_ttl", ttl.into());
    object.int("expiration", expires.into()).int("inception", begins.into()).int("key_tag", tag.into());
    write_name(object.key("signer"), message, signer);
    write_hex(object.key("signature"), signature);
    Some(())
}

fn nsec3(object: &mut Object<'_>, record: &Record<'_>) -> Option<()> {
    let mut reader = Reader::new(record.data);
    let (algorithm, flags, iterations) = (reader.u8()?, reader.u8()?, reader.u16()?);
    let salt_length = usize::from(reader.u8()?);
    let salt = reader.take(salt_length)?;
    let mut hashed = None;
    if record.question.kind == 50 {
        let length = usize::from(reader.u8()?);
        hashed = Some(reader.take(length)?);
    }
    object.int("algorithm", algorithm.into()).int("flags", flags.into()).int("iterations", iterations.into());
    write_hex(object.key("salt"), salt);
    if let Some(next) = hashed {
        write_hex(object.key("next"), next);
        object.list("types", bitmap_kinds(reader.rest()), write_kind);
    }
    Some(())
}

/// Types of the windows of a bitmap (RFC 4034, 4.1.2).
fn bitmap_kinds(bitmap: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let mut reader = Reader::new(bitmap);
    std::iter::from_fn(move || {
        let (window, length) = (u16::from(reader.u8()?), usize::from(reader.u8()?));
        Some((window, reader.take(length)?))
    })
    .flat_map(|(window, bits)| {
        (0..bits.len() * 8)
            .filter(|bit| bits[bit / 8] & 0x80 >> (bit % 8) != 0)
            .map(move |bit| window << 8 | (bit & 255) as u16)
    })
}

/// RFC 9460: priority, target and parameters by key.
fn svcb(object: &mut Object<'_>, message: &[u8], record: &Record<'_>) -> Option<()> {
    let priority = Reader::new(record.data).u16()?;
    let target = record.at + 2;
    let end = end_of_name(message, target)?;
    let parameters = message.get(end..record.at + record.data.len())?;
    object.int("priority", priority.into());
    write_name(object.key("target"), message, target);
    let mut inner = Object::new(object.key("params"));
    let mut reader = Reader::new(parameters);
    while let (Some(key), Some(length)) = (reader.u16(), reader.u16()) {
        let value = reader.take(usize::from(length).min(reader.rest().len())).unwrap_or_default();
        parameter(&mut inner, key, value);
    }
    inner.end();
    Some(())
}

fn parameter(object: &mut Object<'_>, key: u16, value: &[u8]) {
    match key {
        1 => drop(object.list("alpn", strings(value), json::string)),
        2 => drop(object.flag("no-default-alpn", true)),
        3 => drop(object.int("port", Reader::new(value).u16().unwrap_or(0).into())),
        4 => {
            let addresses = value.chunks_exact(4).map(|four| Ipv4Addr::new(four[0], four[1], four[2], four[3]));
            object.list("ipv4hint", addresses, |out, address| json::string(out, address.to_string().as_bytes()));
        }
        6 => {
            let addresses = value.chunks_exact(16).filter_map(|bytes| <[u8; 16]>::try_from(bytes).ok());
            object.list("ipv6hint", addresses.map(Ipv6Addr::from), |out, address| {
                json::string(out, address.to_string().as_bytes());
            });
        }
        _ => {
            let mut name = b"key".to_vec();
            json::int(&mut name, i64::from(key));
            write_hex(object.key_of(&name), value);
        }
    }
}
