//! A request with its answer, in the shape that all protocols but HTTP/1 hand out: times, sizes, and the values of the
//! protocol's own columns in the order of its table.

/// The most columns of its own that a protocol's table has.
pub const VALUES_MAX: usize = 14;
/// Text that all values of an exchange can hold together; what is written beyond is cut.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// When and how much of a message passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// When its first bytes passed.
    pub start_ns: i64,
    /// When its last bytes passed.
    pub end_ns: i64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Span {
    /// Extends the message by another frame.
    pub fn extend(&mut self, more: Span) {
        if self.bytes == 0 {
            self.start_ns = more.start_ns;
        }
        self.end_ns = self.end_ns.max(more.end_ns);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// A value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not set: 0 or the empty text, as the column has it.
    Empty,
    /// A number.
    Int(i64),
    /// A text, of any bytes.
    Text(&'a [u8]),
}

#[derive(Debug, Clone, Copy, Default)]
enum Slot {
    #[default]
    Empty,
    Int(i64),
    /// From where to where; texts together are far shorter than 4 GiB.
    Text(u32, u32),
    Body(usize),
}

/// A request with its answer. Values are set by column, in any order, while the exchange is in progress.
#[derive(Debug, Default)]
pub struct Exchange {
    /// What was asked.
    pub request: Span,
    /// What was answered.
    pub response: Span,
    /// Something of it was not seen.
    pub partial: bool,
    /// The answer says that the request failed.
    pub failed: bool,
    /// A note of the tracer (`px_info_`).
    pub note: &'static str,
    slots: [Slot; VALUES_MAX],
    text: Vec<u8>,
    bodies: [Vec<u8>; 2],
}

impl Exchange {
    /// Sets a number.
    pub fn set_int(&mut self, column: usize, value: i64) {
        self.slots[column] = Slot::Int(value);
    }

    /// Sets a text.
    pub fn set_text(&mut self, column: usize, value: &[u8]) {
        self.write_text(column, |out| out.extend_from_slice(value));
    }

    /// Sets a text to what `write` appends.
    pub fn write_text(&mut self, column: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        self.text.truncate(TEXT_BYTES_MAX.max(start));
        self.slots[column] = Slot::Text(start as u32, self.text.len() as u32);
    }

    /// Appends to the text of a column.
    pub fn extend_text(&mut self, column: usize, value: &[u8]) {
        let before = match self.slots[column] {
            Slot::Text(start, end) => start as usize..end as usize,
            Slot::Empty | Slot::Int(_) | Slot::Body(_) => 0..0,
        };
        self.write_text(column, |out| {
            out.extend_from_within(before);
            out.extend_from_slice(value);
        });
    }

    /// A text that grows while other texts are set: the column's value is whatever the buffer holds in the end. There
    /// is one for the request (0) and one for the answer (1).
    pub fn body(&mut self, column: usize, which: usize) -> &mut Vec<u8> {
        self.slots[column] = Slot::Body(which);
        &mut self.bodies[which]
    }

    /// The value of a column.
    #[must_use]
    pub fn value(&self, column: usize) -> Value<'_> {
        match &self.slots[column] {
            Slot::Empty => Value::Empty,
            Slot::Int(value) => Value::Int(*value),
            Slot::Text(start, end) => Value::Text(self.text.get(*start as usize..*end as usize).unwrap_or_default()),
            Slot::Body(which) => Value::Text(&self.bodies[*which]),
        }
    }

    /// The text of a column, empty for a number.
    #[must_use]
    pub fn text(&self, column: usize) -> &[u8] {
        if let Value::Text(text) = self.value(column) { text } else { b"" }
    }

    /// The number of a column, 0 for a text.
    #[must_use]
    pub fn int(&self, column: usize) -> i64 {
        if let Value::Int(value) = self.value(column) { value } else { 0 }
    }

    /// From the last of the request to the last of the answer; never negative.
    #[must_use]
    pub fn latency_ns(&self) -> i64 {
        self.response.end_ns.saturating_sub(self.request.end_ns).max(0)
    }

    /// Takes over what is known of the request from another exchange, which saw nothing of the answer.
    pub fn take_request(&mut self, asked: &Exchange) {
        self.request = asked.request;
        self.partial |= asked.partial;
        if self.note.is_empty() {
            self.note = asked.note;
        }
        for (column, slot) in asked.slots.iter().enumerate() {
            match slot {
                Slot::Empty => {}
                Slot::Int(value) => self.set_int(column, *value),
                Slot::Text(..) => self.set_text(column, asked.text(column)),
                Slot::Body(which) => self.body(column, *which).extend_from_slice(&asked.bodies[*which]),
            }
        }
    }

    fn clear(&mut self) {
        let Exchange { request, response, partial, failed, note, slots, text, bodies } = self;
        (*request, *response, *partial, *failed, *note) = Default::default();
        slots.fill(Slot::Empty);
        text.clear();
        bodies.iter_mut().for_each(Vec::clear);
    }

    fn held_bytes(&self) -> usize {
        self.text.capacity() + self.bodies.iter().map(Vec::capacity).sum::<usize>()
    }
}

/// Exchanges that are not in use, shared by all connections, so that a connection at rest holds none.
#[derive(Debug, Default)]
pub struct Pool {
    #[expect(clippy::vec_box, reason = "boxes move between queues and pool; an exchange is some hundred bytes")]
    free: Vec<Box<Exchange>>,
}

const POOL_MAX: usize = 1024;
/// An exchange with larger buffers is not kept.
const KEPT_BYTES_MAX: usize = 32 << 10;

impl Pool {
    /// An empty exchange.
    pub fn take(&mut self) -> Box<Exchange> {
        self.free.pop().unwrap_or_default()
    }

    /// Takes an exchange back.
    pub fn give(&mut self, mut exchange: Box<Exchange>) {
        if self.free.len() < POOL_MAX && exchange.held_bytes() < KEPT_BYTES_MAX {
            exchange.clear();
            self.free.push(exchange);
        }
    }
}
