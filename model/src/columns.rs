//! What a column is: its type, meaning and kind for users, and how its values lie in memory.

use arrow::datatypes::{DataType as ArrowType, Field, TimeUnit};

/// The types that scripts see. There is no NULL: a missing value is empty, zero or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 64-bit signed integer.
    Int64,
    /// 128-bit id such as a upid.
    Uint128,
    /// 64-bit float.
    Float64,
    /// UTF-8 text.
    String,
    /// Nanoseconds since the Unix epoch.
    Time64Ns,
}

impl DataType {
    /// The Arrow type that plans see for this type.
    #[must_use]
    pub fn arrow(self) -> ArrowType {
        match self {
            DataType::Boolean => ArrowType::Boolean,
            DataType::Int64 => ArrowType::Int64,
            DataType::Uint128 => ArrowType::FixedSizeBinary(16),
            DataType::Float64 => ArrowType::Float64,
            DataType::String => ArrowType::Utf8,
            DataType::Time64Ns => ArrowType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())),
        }
    }

    /// The name that `table show` and schema lines print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DataType::Boolean => "BOOLEAN",
            DataType::Int64 => "INT64",
            DataType::Uint128 => "UINT128",
            DataType::Float64 => "FLOAT64",
            DataType::String => "STRING",
            DataType::Time64Ns => "TIME64NS",
        }
    }

    /// The type that users see for a plan's Arrow type; `None` for one that no column of ours has.
    #[must_use]
    pub fn of_arrow(arrow: &ArrowType) -> Option<Self> {
        Some(match arrow {
            ArrowType::Boolean => DataType::Boolean,
            ArrowType::Int8
            | ArrowType::Int16
            | ArrowType::Int32
            | ArrowType::Int64
            | ArrowType::UInt8
            | ArrowType::UInt16
            | ArrowType::UInt32
            | ArrowType::UInt64 => DataType::Int64,
            ArrowType::FixedSizeBinary(16) => DataType::Uint128,
            ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 => DataType::Float64,
            ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
            ArrowType::Timestamp(_, _) => DataType::Time64Ns,
            _ => return None,
        })
    }
}

/// What a value means, for display and for functions that ask for a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names say it; they are the field's own.
pub enum Semantic {
    None,
    TimeNs,
    AgentUid,
    Asid,
    Upid,
    ServiceName,
    PodName,
    PodPhase,
    PodStatus,
    NodeName,
    ContainerName,
    ContainerState,
    ContainerStatus,
    NamespaceName,
    Bytes,
    Percent,
    DurationNs,
    ThroughputPerNs,
    ThroughputBytesPerNs,
    Quantiles,
    DurationNsQuantiles,
    IpAddress,
    Port,
    HttpReqMethod,
    HttpRespStatus,
    HttpRespMessage,
    ScriptReference,
}

impl Semantic {
    /// The name that `table show` and schema lines print, such as `ST_BYTES`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Semantic::None => "ST_NONE",
            Semantic::TimeNs => "ST_TIME_NS",
            Semantic::AgentUid => "ST_AGENT_UID",
            Semantic::Asid => "ST_ASID",
            Semantic::Upid => "ST_UPID",
            Semantic::ServiceName => "ST_SERVICE_NAME",
            Semantic::PodName => "ST_POD_NAME",
            Semantic::PodPhase => "ST_POD_PHASE",
            Semantic::PodStatus => "ST_POD_STATUS",
            Semantic::NodeName => "ST_NODE_NAME",
            Semantic::ContainerName => "ST_CONTAINER_NAME",
            Semantic::ContainerState => "ST_CONTAINER_STATE",
            Semantic::ContainerStatus => "ST_CONTAINER_STATUS",
            Semantic::NamespaceName => "ST_NAMESPACE_NAME",
            Semantic::Bytes => "ST_BYTES",
            Semantic::Percent => "ST_PERCENT",
            Semantic::DurationNs => "ST_DURATION_NS",
            Semantic::ThroughputPerNs => "ST_THROUGHPUT_PER_NS",
            Semantic::ThroughputBytesPerNs => "ST_THROUGHPUT_BYTES_PER_NS",
            Semantic::Quantiles => "ST_QUANTILES",
            Semantic::DurationNsQuantiles => "ST_DURATION_NS_QUANTILES",
            Semantic::IpAddress => "ST_IP_ADDRESS",
            Semantic::Port => "ST_PORT",
            Semantic::HttpReqMethod => "ST_HTTP_REQ_METHOD",
            Semantic::HttpRespStatus => "ST_HTTP_RESP_STATUS",
            Semantic::HttpRespMessage => "ST_HTTP_RESP_MESSAGE",
            Semantic::ScriptReference => "ST_SCRIPT_REFERENCE",
        }
    }
}

/// How a column's values relate to each other over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Nothing in particular.
    General,
    /// One of a small set of values.
    GeneralEnum,
    /// JSON text.
    Structured,
    /// Cumulative since tracing began.
    MetricCounter,
    /// A reading.
    MetricGauge,
}

impl Pattern {
    /// Lower-case name for `table show`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Pattern::General => "general",
            Pattern::GeneralEnum => "general_enum",
            Pattern::Structured => "structured",
            Pattern::MetricCounter => "counter",
            Pattern::MetricGauge => "gauge",
        }
    }
}

/// How a column lies in memory. What is a rendering to the reader is stored raw and rendered when a plan reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Storage {
    /// As the plan sees it.
    Plain,
    /// 16 bytes, IPv4 mapped into IPv6, all zero for "not known"; read as text, `-` when not known.
    Address,
    /// Bytes of an HTTP header block (the lines between the start line and the empty line, with their CRLFs);
    /// read as a JSON object of strings.
    HttpHeaders,
    /// Bytes that are text as far as they are UTF-8; read with invalid sequences replaced.
    Bytes,
}

/// One column of a table, declared once, here, for storage, plans and users.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The name that scripts use.
    pub name: &'static str,
    /// The type that scripts see.
    pub data_type: DataType,
    /// What it means.
    pub semantic: Semantic,
    /// How it behaves over time.
    pub pattern: Pattern,
    /// How it lies in memory.
    pub storage: Storage,
    /// One sentence for `table show`.
    pub doc: &'static str,
}

impl Column {
    /// A column with nothing in particular to say of it.
    pub(crate) const fn new(name: &'static str, data_type: DataType, doc: &'static str) -> Self {
        Column { name, data_type, semantic: Semantic::None, pattern: Pattern::General, storage: Storage::Plain, doc }
    }

    pub(crate) const fn means(self, semantic: Semantic) -> Self {
        Column { semantic, ..self }
    }

    pub(crate) const fn behaves(self, pattern: Pattern) -> Self {
        Column { pattern, ..self }
    }

    pub(crate) const fn stored(self, storage: Storage) -> Self {
        Column { storage, ..self }
    }

    /// The field that plans see.
    #[must_use]
    pub fn field(&self) -> Field {
        Field::new(self.name, self.data_type.arrow(), false)
    }

    /// The field as stored.
    #[must_use]
    pub fn storage_field(&self) -> Field {
        let arrow = match self.storage {
            Storage::Plain => self.data_type.arrow(),
            Storage::Address => ArrowType::FixedSizeBinary(16),
            Storage::HttpHeaders | Storage::Bytes => ArrowType::Binary,
        };
        Field::new(self.name, arrow, false)
    }
}
