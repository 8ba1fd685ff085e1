//! Text to plans: one table a statement, `now()` left symbolic, mistakes with their place.

mod kept;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry as _;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{AggregateUDF, LogicalPlan, ScalarUDF};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParser, Statement};
use watershed_model::Semantic;

use kept::Kept;

use crate::metadata::Facts;
use crate::pxl::{Spec, is_pxl};
use crate::tracepoint::Tracepoint;
use crate::view::ViewPlan;

/// Longest script that is compiled, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 256 * 1024;
/// Most columns of a table that a script makes.
pub const COLUMNS_MAX: usize = 1_000;

/// The tables that scripts can read. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) context: SessionContext,
    pub(crate) facts: Arc<Facts>,
    kept: Arc<Kept>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// All tables of the model.
    #[must_use]
    pub fn new() -> Self {
        let mut config = SessionConfig::new().with_target_partitions(1);
        let options = config.options_mut();
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.collect_spans = true;
        options.execution.time_zone = Some("+00:00".into());
        let context = SessionContext::new_with_config(config);
        // It would move `now()` away from the `time_` that it is compared with.
        context.remove_optimizer_rule("common_sub_expression_eliminate");
        crate::functions::register(&context);
        let catalog = context.catalog("datafusion").expect("the default catalog is there");
        for table in watershed_model::tables::ALL.iter() {
            let (schema, name) = table.name.split_once('.').unwrap_or(("public", table.name));
            let schema = catalog.schema(schema).unwrap_or_else(|| {
                let added: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
                catalog.register_schema(schema, Arc::clone(&added)).expect("a schema in memory can be added");
                added
            });
            schema
                .register_table(name.into(), Arc::new(EmptyTable::new(table.schema())))
                .expect("table names are unique");
        }
        crate::functions::register_status(&context);
        let facts = Arc::new(Facts::new(&context));
        Catalog { context, facts, kept: Arc::default() }
    }

    /// Makes a script's only table readable under a name, for all clones of the catalog. A view of that name is
    /// replaced; scripts that were compiled before keep what they were compiled from.
    ///
    /// # Errors
    /// When the script does not compile, has several statements, or the name is a table's.
    pub fn define_view(&self, name: &str, text: &str) -> Result<ScriptTable, Vec<ScriptError>> {
        let script = compile(self, text, name)?;
        let fail = |message: String| vec![ScriptError { origin: name.into(), line: 1, column: 1, message }];
        let [table] = script.tables.as_slice() else {
            return Err(fail(format!("a view is one query, the script has {}", script.tables.len())));
        };
        if is_table(name) {
            return Err(fail(format!("{name} is a table; choose another name")));
        }
        self.drop_view(name);
        let view = Arc::new(ViewTable::new(table.plan.clone(), Some(text.to_owned())));
        self.context.register_table(bare(name), view).map_err(|error| fail(error.strip_backtrace()))?;
        Ok(table.clone())
    }

    /// Notes that a view is kept up, for all clones of the catalog.
    pub fn keep(&self, name: &str, plan: &ViewPlan) {
        self.kept.keep(name, plan);
    }

    /// Notes that a view is kept up no longer.
    pub fn forget(&self, name: &str) {
        self.kept.forget(name);
    }

    /// The first by name of the views that are kept up by the same plan.
    #[must_use]
    pub fn running(&self, plan: &ViewPlan) -> Option<String> {
        self.kept.running(plan)
    }

    /// Whether a side of a join is kept for a running view, by its identity.
    #[must_use]
    pub fn has_side(&self, identity: &str) -> bool {
        self.kept.has_side(identity)
    }

    /// A scalar function by name.
    pub(crate) fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let bare = || self.context.udf(name.strip_prefix("px_")?).ok();
        self.context.udf(name).ok().or_else(bare)
    }

    /// An aggregate by name.
    pub(crate) fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let bare = || {
            let bare = name.strip_prefix("px_")?;
            self.context.udaf(if bare == "mean" { "avg" } else { bare }).ok()
        };
        self.context.udaf(name).ok().or_else(bare)
    }

    /// Forgets a view; whether there was one.
    pub fn drop_view(&self, name: &str) -> bool {
        if is_table(name) {
            return false;
        }
        self.context.deregister_table(bare(name)).is_ok_and(|table| table.is_some())
    }
}

/// Whether a name is a table's, which no view can have.
fn is_table(name: &str) -> bool {
    watershed_model::tables::by_name(name).is_some() || crate::functions::is_table(name)
}

/// A name that is not folded or split at dots.
fn bare(name: &str) -> datafusion::common::TableReference {
    datafusion::common::TableReference::bare(name)
}

/// A compiled script.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// One a statement, or one a table that is shown, in order.
    pub tables: Vec<ScriptTable>,
    /// `pxtrace.UpsertTracepoint` and `pxtrace.DeleteTracepoint`, in order.
    pub tracepoints: Vec<Tracepoint>,
    /// `pxconfig.set_agent_config`, in order.
    pub settings: Vec<Spec>,
    /// What is exported, and how.
    pub exports: Vec<Export>,
}

/// A table that a script exports.
#[derive(Debug, Clone)]
pub struct Export {
    /// The rows.
    pub table: ScriptTable,
    /// `otel.Data`.
    pub spec: Spec,
}

/// What a script is given beside its text.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Values of variables, or of constants of the module.
    pub arguments: &'a BTreeMap<String, String>,
    /// The `vis.json` beside the script; the functions that it names make the tables.
    pub vis: Option<&'a str>,
}

/// What one statement makes.
#[derive(Debug, Clone)]
pub struct ScriptTable {
    /// `output`, `output_2`, …
    pub name: String,
    /// Not optimised; `now()` is still a call.
    pub plan: LogicalPlan,
    /// Columns of the result.
    pub schema: SchemaRef,
    /// The same columns as users see them.
    pub columns: Vec<OutputColumn>,
    /// Most rows when it is run once; a view is complete.
    pub rows_max: Option<usize>,
}

/// A column of a result: its name, type and meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Name in the result.
    pub name: String,
    /// Such as `INT64`.
    pub data_type: &'static str,
    /// What the value means, as far as it is known where it came from.
    pub semantic: Semantic,
}

/// A mistake in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// File name.
    pub origin: String,
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", self.origin, self.line, self.column, self.message)
    }
}

impl std::error::Error for ScriptError {}

/// Compiles a script that is given nothing beside its text.
///
/// # Errors
/// All mistakes that were found, with their places.
pub fn compile(catalog: &Catalog, text: &str, origin: &str) -> Result<Script, Vec<ScriptError>> {
    compile_with(catalog, text, origin, &Inputs { arguments: &BTreeMap::new(), vis: None })
}

/// Compiles a script: PxL if it says so (see [`is_pxl`]), else SQL, whose parameters are to be filled in before.
/// Nothing that changes tables or settings is allowed.
///
/// # Errors
/// All mistakes that were found, with their places.
pub fn compile_with(
    catalog: &Catalog,
    text: &str,
    origin: &str,
    inputs: &Inputs<'_>,
) -> Result<Script, Vec<ScriptError>> {
    let fail = |(line, column, message): (u64, u64, String)| {
        vec![ScriptError { origin: origin.into(), line, column, message }]
    };
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(fail((1, 1, format!("the script is longer than {SCRIPT_BYTES_MAX} bytes"))));
    }
    if is_pxl(text, origin) {
        return crate::pxl::compile(catalog, text, origin, inputs);
    }
    crate::nesting::check(text).map_err(fail)?;
    let statements = DFParser::parse_sql(text).map_err(|error| fail(place(&error)))?;
    if statements.is_empty() {
        return Err(fail((1, 1, "the script has no query".into())));
    }
    let allowed = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let state = catalog.context.state();
    let mut tables = Vec::with_capacity(statements.len());
    for statement in statements {
        let (statement, explains) = match statement {
            Statement::Explain(explain) => (*explain.statement, true),
            other => (other, false),
        };
        let plan = crate::virtual_columns::plan(&state, statement).map_err(|error| fail(place(&error)))?;
        allowed.verify_plan(&plan).map_err(|error| fail(place(&error)))?;
        let name = match tables.len() {
            0 => "output".to_owned(),
            count => format!("output_{}", count + 1),
        };
        let table = table_of(&state, name.clone(), plan).map_err(|error| fail(place(&error)))?;
        tables.push(match explains {
            false => table,
            true => crate::explain::plan_of(catalog, &table)
                .and_then(|plan| table_of(&state, name, plan))
                .map_err(|error| fail(place(&error)))?,
        });
    }
    Ok(Script { tables, ..Script::default() })
}

/// What a statement's plan makes.
fn table_of(state: &SessionState, name: String, plan: LogicalPlan) -> Result<ScriptTable, DataFusionError> {
    let count = plan.schema().fields().len();
    if count > COLUMNS_MAX {
        return Err(DataFusionError::Plan(format!("a table has at most {COLUMNS_MAX} columns, not {count}")));
    }
    let typed = typed(state, &plan)?;
    let schema = Arc::new(typed.schema().as_arrow().clone());
    let columns = crate::meaning::columns_of(&typed);
    Ok(ScriptTable { name, plan, schema, columns, rows_max: None })
}

/// The plan with all types coerced: only then are the types of unions and operators those of the result.
fn typed(state: &SessionState, plan: &LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})
}

fn place(error: &DataFusionError) -> (u64, u64, String) {
    let root = error.strip_backtrace();
    if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        return (span.start.line, span.start.column, root);
    }
    let number_after = |mark: &str| {
        let rest = root.rsplit_once(mark)?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    (number_after("Line: ").unwrap_or(1), number_after("Column: ").unwrap_or(1), root)
}
