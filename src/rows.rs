//! Results as they travel: columns with their meaning, Arrow batches, and the events of a subscription. Server and
//! client share these, and with them every rendering.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use watershed_proto::v1;

/// A column as users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `INT64` and so on.
    pub(crate) data_type: String,
    /// `ST_BYTES` and so on.
    pub(crate) semantic: String,
}

/// A table's name and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableSchema {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
}

/// A table of a query's answer.
#[derive(Debug, Clone)]
pub(crate) struct TableRows {
    pub(crate) schema: TableSchema,
    pub(crate) arrow: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
}

/// A query's answer: the tables as of `time` (ms).
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) time: u64,
    pub(crate) tables: Vec<TableRows>,
    /// What a reader should know of the answer, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// Rows that changed at `time` (ms), or that were there then.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    pub(crate) table: String,
    pub(crate) time: u64,
    /// How each row's multiplicity changed.
    pub(crate) diffs: Vec<i64>,
    pub(crate) rows: RecordBatch,
    /// Whether these are rows of the snapshot.
    pub(crate) snapshot: bool,
}

/// What a subscriber is told, in the order in which lines are printed.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// First, and again after a restart if the columns are others.
    Schema(Vec<TableSchema>),
    Changes(Changes),
    /// All changes at or before this time (ms) were told.
    Progress(u64),
    /// Forget all rows.
    Restart(String),
}

/// Rows as one self-contained IPC stream.
pub(crate) fn encode<'a>(
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = &'a RecordBatch>,
) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

/// The reverse of [`encode`].
pub(crate) fn decode(bytes: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
    let reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let schema = reader.schema();
    Ok((schema, reader.collect::<Result<_, _>>()?))
}

impl From<Column> for v1::Column {
    fn from(column: Column) -> Self {
        Self { name: column.name, r#type: column.data_type, semantic: column.semantic }
    }
}

impl From<v1::Column> for Column {
    fn from(column: v1::Column) -> Self {
        Self { name: column.name, data_type: column.r#type, semantic: column.semantic }
    }
}

impl From<TableSchema> for v1::TableSchema {
    fn from(schema: TableSchema) -> Self {
        Self { name: schema.name, columns: schema.columns.into_iter().map(Into::into).collect() }
    }
}

impl From<v1::TableSchema> for TableSchema {
    fn from(schema: v1::TableSchema) -> Self {
        Self { name: schema.name, columns: schema.columns.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<Answer> for v1::QueryResponse {
    type Error = ArrowError;

    fn try_from(answer: Answer) -> Result<Self, ArrowError> {
        let table = |table: TableRows| {
            Ok(v1::TableRows {
                arrow_ipc: encode(&table.arrow, &table.batches)?.into(),
                schema: Some(table.schema.into()),
            })
        };
        let tables = answer.tables.into_iter().map(table).collect::<Result<_, ArrowError>>()?;
        Ok(Self { time: answer.time, tables, notes: answer.notes })
    }
}

impl TryFrom<v1::QueryResponse> for Answer {
    type Error = ArrowError;

    fn try_from(response: v1::QueryResponse) -> Result<Self, ArrowError> {
        let table = |table: v1::TableRows| {
            let (arrow, batches) = decode(&table.arrow_ipc)?;
            Ok(TableRows { schema: table.schema.unwrap_or_default().into(), arrow, batches })
        };
        let tables = response.tables.into_iter().map(table).collect::<Result<_, ArrowError>>()?;
        Ok(Self { time: response.time, tables, notes: response.notes })
    }
}

impl TryFrom<Event> for v1::SubscribeResponse {
    type Error = ArrowError;

    fn try_from(event: Event) -> Result<Self, ArrowError> {
        use v1::subscribe_response::Event as Wire;
        let wire = match event {
            Event::Schema(tables) => Wire::Schema(v1::Schema { tables: tables.into_iter().map(Into::into).collect() }),
            Event::Changes(changes) => Wire::Changes(v1::Changes {
                arrow_ipc: encode(&changes.rows.schema(), [&changes.rows])?.into(),
                table: changes.table,
                time: changes.time,
                diffs: changes.diffs,
                snapshot: changes.snapshot,
            }),
            Event::Progress(time) => Wire::Progress(v1::Progress { time }),
            Event::Restart(reason) => Wire::Restart(v1::Restart { reason }),
        };
        Ok(Self { event: Some(wire) })
    }
}

/// The events of one message: none for a kind that this client does not know.
pub(crate) fn events_of(response: v1::SubscribeResponse) -> Result<Vec<Event>, ArrowError> {
    use v1::subscribe_response::Event as Wire;
    Ok(match response.event {
        None => Vec::new(),
        Some(Wire::Schema(schema)) => vec![Event::Schema(schema.tables.into_iter().map(Into::into).collect())],
        Some(Wire::Progress(progress)) => vec![Event::Progress(progress.time)],
        Some(Wire::Restart(restart)) => vec![Event::Restart(restart.reason)],
        Some(Wire::Changes(changes)) => {
            let (_, batches) = decode(&changes.arrow_ipc)?;
            let mut events = Vec::new();
            let mut start = 0;
            for rows in batches {
                let end = start + rows.num_rows();
                let diffs = changes.diffs.get(start..end).ok_or_else(|| {
                    ArrowError::InvalidArgumentError(format!("{} diffs for {end} rows", changes.diffs.len()))
                })?;
                let (table, diffs) = (changes.table.clone(), diffs.to_vec());
                events.push(Event::Changes(Changes {
                    table,
                    time: changes.time,
                    diffs,
                    rows,
                    snapshot: changes.snapshot,
                }));
                start = end;
            }
            events
        }
    })
}
