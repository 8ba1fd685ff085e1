//! Headers of requests and answers (Apache Kafka protocol guide, "Common Request and Response Structure").

use super::body::{skip_tags, unsigned};
use crate::reader::Reader;

/// The length in front, and the correlation id of an answer.
pub(super) const ANSWER_HEADER_BYTES: usize = 8;
/// What brokers take at most, as they are shipped.
const LENGTH_MAX: u32 = 100 << 20;
const CLIENT_ID_BYTES_MAX: i16 = 512;

pub(super) const PRODUCE: i16 = 0;
pub(super) const CONTROLLED_SHUTDOWN: i16 = 7;
pub(super) const API_VERSIONS: i16 = 18;
const NEVER: i16 = i16::MAX;
/// Versions that are taken for possible beyond the highest known one.
const VERSIONS_AHEAD: i16 = 2;

/// By API key: the first version with compact lengths and tagged fields, and the highest known version.
const APIS: [(i16, i16); 93] = {
    let mut apis = [(0, 1); 93];
    let known = [
        (9, 13),
        (12, 18),
        (6, 11),
        (9, 13),
        (4, 7),
        (2, 4),
        (6, 8),
        (3, 3),
        (8, 10),
        (6, 10),
        (3, 6),
        (6, 9),
        (4, 4),
        (4, 5),
        (4, 5),
        (5, 6),
        (3, 5),
        (NEVER, 1),
        (3, 4),
        (5, 7),
        (4, 6),
        (2, 2),
        (2, 6),
        (4, 4),
        (3, 5),
        (3, 4),
        (3, 5),
        (1, 2),
        (3, 5),
        (2, 3),
        (2, 3),
        (2, 3),
        (4, 4),
        (2, 2),
        (2, 2),
        (2, 4),
        (2, 2),
        (2, 3),
        (2, 3),
        (2, 2),
        (2, 2),
        (2, 3),
        (2, 2),
        (2, 2),
        (1, 1),
        (0, 1),
        (0, 0),
        (NEVER, 0),
        (1, 1),
        (1, 1),
        (0, 0),
        (0, 0),
        (0, 2),
        (1, 1),
        (1, 1),
        (0, 2),
        (0, 3),
        (0, 2),
        (0, 0),
        (0, 1),
        (0, 2),
        (0, 0),
        (0, 4),
    ];
    let mut key = 0;
    while key < known.len() {
        apis[key] = known[key];
        key += 1;
    }
    apis
};

/// Whether a version of an API has compact lengths and tagged fields.
pub(super) fn flexible(key: i16, version: i16) -> bool {
    usize::try_from(key).ok().and_then(|key| APIS.get(key)).is_some_and(|(first, _)| version >= *first)
}

/// Whether an API and its version can be.
pub(super) fn known(key: i16, version: i16) -> bool {
    let api = usize::try_from(key).ok().and_then(|key| APIS.get(key));
    api.is_some_and(|(_, last)| (0..=last + VERSIONS_AHEAD).contains(&version))
}

/// Whether a version is higher than any whose fields are known.
pub(super) fn beyond(key: i16, version: i16) -> bool {
    usize::try_from(key).ok().and_then(|key| APIS.get(key)).is_none_or(|(_, last)| version > *last)
}

/// The header of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// Bytes after the length.
    pub(super) length: u32,
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
    /// As far as it is there.
    pub(super) client: &'a [u8],
    /// What is left of a buffer that begins with the request.
    pub(super) body: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads a header whose fields can all be; of the client's id and the body as much as there is. `None` also for
    /// too few bytes.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let length = length(bytes)?;
        reader.u32()?;
        let (key, version, correlation) = (reader.i16()?, reader.i16()?, reader.i32()?);
        if !known(key, version) || correlation < 0 {
            return None;
        }
        let mut header = Header { length, key, version, correlation, client: &[], body: &[] };
        if (key, version) == (CONTROLLED_SHUTDOWN, 0) {
            header.body = reader.rest();
            return (length >= 8).then_some(header);
        }
        let size = reader.i16()?;
        if !(-1..=CLIENT_ID_BYTES_MAX).contains(&size) || u32::from(size.max(0).unsigned_abs()) + 10 > length {
            return None;
        }
        let size = usize::from(size.max(0).unsigned_abs());
        header.client = &reader.rest()[..size.min(reader.rest().len())];
        if reader.take(size).is_some() && (!flexible(key, version) || skip_tags(&mut reader).is_some()) {
            header.body = reader.rest();
        }
        Some(header)
    }
}

/// The length in front of a message, if it can be one.
pub(super) fn length(bytes: &[u8]) -> Option<u32> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    (4..=LENGTH_MAX).contains(&length).then_some(length)
}

/// The correlation id of an answer.
pub(super) fn correlation(bytes: &[u8]) -> Option<i32> {
    bytes.get(4..).and_then(|rest| rest.first_chunk()).map(|id| i32::from_be_bytes(*id))
}

/// What is after the header of an answer to a request.
pub(super) fn answer_body(bytes: &[u8], key: i16, version: i16) -> &[u8] {
    let mut reader = Reader::new(bytes.get(ANSWER_HEADER_BYTES..).unwrap_or_default());
    // Answers about versions are read before versions are agreed on: their header never has tags.
    if key != API_VERSIONS && flexible(key, version) && skip_tags(&mut reader).is_none() {
        return &[];
    }
    reader.rest()
}

/// Whether a produce request wants no answer.
pub(super) fn unanswered(header: &Header<'_>) -> bool {
    let mut reader = Reader::new(header.body);
    let mut acks = || {
        if header.version >= 3 {
            let size = if flexible(header.key, header.version) {
                usize::try_from(unsigned(&mut reader)?).ok()?.saturating_sub(1)
            } else {
                usize::from(reader.i16()?.max(0).unsigned_abs())
            };
            reader.take(size)?;
        }
        reader.i16()
    };
    header.key == PRODUCE && acks() == Some(0)
}
