//! Bodies as JSON, read by shapes that say which versions have which fields.

use super::records;
use super::table::Topics;
use crate::json::{self, Object};
use crate::reader::Reader;

/// Elements of lists are left out where the text is longer.
const TEXT_BYTES_MAX: usize = 48 << 10;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    I8,
    I16,
    I32,
    I64,
    Flag,
    /// A code that is not 0 where something failed.
    Error,
    Text,
    /// The name of a topic whose id follows.
    TopicName,
    /// The id of the topic whose name was before.
    NamedId,
    /// The id of a topic, shown with its name.
    TopicId,
    /// Bytes, of which only the number is shown.
    Size,
    Records,
    Ints,
    Texts,
    List(&'static [Field]),
}

/// A field and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    first: i16,
    last: i16,
}

/// A field of all versions.
pub(super) const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, first: 0, last: i16::MAX }
}

impl Field {
    pub(super) const fn since(self, first: i16) -> Field {
        Field { first, ..self }
    }

    pub(super) const fn until(self, last: i16) -> Field {
        Field { last, ..self }
    }
}

/// Reads one body.
#[derive(Debug)]
pub(super) struct Body<'a, 'b> {
    pub(super) reader: Reader<'a>,
    pub(super) version: i16,
    pub(super) flexible: bool,
    pub(super) topics: &'b mut Topics,
    /// An error was among the fields.
    pub(super) failed: bool,
    /// A topic's id has no known name.
    pub(super) unnamed: bool,
    /// Records reach over the end of what is there: nothing comes after them.
    past: bool,
    left_out: bool,
    name: &'a [u8],
}

impl<'a, 'b> Body<'a, 'b> {
    pub(super) fn new(bytes: &'a [u8], version: i16, flexible: bool, topics: &'b mut Topics) -> Self {
        let reader = Reader::new(bytes);
        let (failed, unnamed, past, left_out) = (false, false, false, false);
        Body { reader, version, flexible, topics, failed, unnamed, past, left_out, name: &[] }
    }

    /// Appends the whole body; `None` where it ends too early, with valid JSON up to there.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, fields: &[Field]) -> Option<()> {
        let whole = self.structure(out, fields);
        if self.left_out && out.pop().is_some() {
            out.extend_from_slice(b",\"shortened\":true}");
        }
        whole
    }

    fn structure(&mut self, out: &mut Vec<u8>, fields: &[Field]) -> Option<()> {
        let mut object = Object::new(out);
        let version = self.version;
        let mut whole = Some(());
        for field in fields.iter().filter(|field| (field.first..=field.last).contains(&version)) {
            whole = self.member(&mut object, field);
            if whole.is_none() {
                break;
            }
        }
        object.end();
        whole?;
        if self.flexible && !self.past { skip_tags(&mut self.reader) } else { Some(()) }
    }

    fn member(&mut self, object: &mut Object<'_>, field: &Field) -> Option<()> {
        let reader = &mut self.reader;
        match field.kind {
            Kind::I8 => object.int(field.name, reader.u8()?.cast_signed().into()),
            Kind::I16 => object.int(field.name, reader.i16()?.into()),
            Kind::I32 => object.int(field.name, reader.i32()?.into()),
            Kind::I64 => object.int(field.name, reader.i64()?),
            Kind::Flag => object.flag(field.name, reader.u8()? != 0),
            Kind::Error => {
                let code = reader.i16()?;
                self.failed |= code != 0;
                object.int(field.name, code.into())
            }
            Kind::Text | Kind::TopicName => {
                let text = self.text()?;
                self.name = text.unwrap_or_default();
                write_text(object.key(field.name), text);
                return Some(());
            }
            Kind::NamedId | Kind::TopicId => return self.topic(object, field),
            Kind::Size => {
                let size = self.size()?.unwrap_or(0);
                self.reader.take(size)?;
                object.int(field.name, size as i64)
            }
            Kind::Records => return self.records(object, field),
            Kind::Ints | Kind::Texts | Kind::List(_) => return self.list(object.key(field.name), field.kind),
        };
        Some(())
    }

    fn topic(&mut self, object: &mut Object<'_>, field: &Field) -> Option<()> {
        let id = self.reader.array::<16>()?;
        if id == [0; 16] {
            return Some(());
        }
        if matches!(field.kind, Kind::NamedId) {
            self.topics.name(id, self.name);
        } else if let Some(name) = self.topics.of(&id) {
            object.text("name", name);
        } else {
            self.unnamed = true;
        }
        let out = object.key(field.name);
        out.push(b'"');
        json::uuid(out, &id);
        out.push(b'"');
        Some(())
    }

    fn records(&mut self, object: &mut Object<'_>, field: &Field) -> Option<()> {
        let size = self.size()?.unwrap_or(0);
        let available = self.reader.rest().len();
        let seen = self.reader.take(size.min(available))?;
        let counted = records::count(seen, size);
        object.int(field.name, counted.records).int("record_bytes", size as i64);
        if let Some(compression) = counted.compression {
            object.text("compression", compression.as_bytes());
        }
        self.past = size > available;
        counted.whole.then_some(())
    }

    /// Appends elements up to the first that is not whole.
    fn list(&mut self, out: &mut Vec<u8>, kind: Kind) -> Option<()> {
        let count =
            if self.flexible { i64::from(unsigned(&mut self.reader)?) - 1 } else { i64::from(self.reader.i32()?) };
        if count < 0 {
            out.extend_from_slice(b"null");
            return Some(());
        }
        out.push(b'[');
        let begin = out.len();
        let mut whole = Some(());
        for _ in 0..count {
            let start = out.len();
            if start > begin {
                out.push(b',');
            }
            let element = out.len();
            whole = self.element(out, kind);
            // What has nothing in it, or is too much, is left out.
            let nothing = whole.is_none() && out.len() <= element + 2;
            self.left_out |= out.len() > TEXT_BYTES_MAX;
            if nothing || out.len() > TEXT_BYTES_MAX {
                out.truncate(start);
            }
            if whole.is_none() {
                break;
            }
        }
        out.push(b']');
        whole
    }

    fn element(&mut self, out: &mut Vec<u8>, kind: Kind) -> Option<()> {
        if self.past {
            return None;
        }
        match kind {
            Kind::List(fields) => self.structure(out, fields),
            Kind::Texts => {
                let text = self.text()?;
                write_text(out, text);
                Some(())
            }
            _ => {
                json::int(out, self.reader.i32()?.into());
                Some(())
            }
        }
    }

    /// A text or `None` for null.
    fn text(&mut self) -> Option<Option<&'a [u8]>> {
        let size = if self.flexible { self.size()? } else { usize::try_from(self.reader.i16()?).ok() };
        match size {
            Some(size) => self.reader.take(size).map(Some),
            None => Some(None),
        }
    }

    /// The size of bytes, or of a compact text, or `None` for null.
    fn size(&mut self) -> Option<Option<usize>> {
        if self.flexible {
            return Some((unsigned(&mut self.reader)? as usize).checked_sub(1));
        }
        Some(usize::try_from(self.reader.i32()?).ok())
    }
}

fn write_text(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => json::string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// A number of seven bits a byte, the lowest first.
pub(super) fn unsigned(reader: &mut Reader<'_>) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let byte = reader.u8()?;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Passes over tagged fields.
pub(super) fn skip_tags(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..unsigned(reader)? {
        unsigned(reader)?;
        let size = unsigned(reader)? as usize;
        reader.take(size)?;
    }
    Some(())
}
