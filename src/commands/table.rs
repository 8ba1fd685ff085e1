//! `watershed table list|show`.

use clap::{Args, Subcommand};
use watershed_proto::v1;

use super::listing::{Listing, Values};
use crate::client::{Views, connect, failure_of};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::signals;
use crate::sizes::human_bytes;

/// Tables and what they hold
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watershed table show http_events")]
pub(crate) struct Table {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All tables with retained rows, bytes and time range
    #[command(after_help = "Example:\n  watershed table list")]
    List {
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// A table's columns with type, unit and meaning
    #[command(after_help = "Example:\n  watershed table show http_events")]
    Show {
        /// The table
        name: String,
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
}

impl Table {
    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        signals::runtime("api", 1)?.block_on(async {
            let mut views = connect(settings).await?;
            match self.command {
                Command::List { output } => list(tables(&mut views).await?, Format::or_default(output)),
                Command::Show { name, output } => show(&tables(&mut views).await?, &name, Format::or_default(output)),
            }
        })
    }
}

async fn tables(views: &mut Views) -> Outcome<Vec<v1::Table>> {
    let response = views.list_tables(v1::ListTablesRequest {}).await.map_err(|status| failure_of(&status))?;
    Ok(response.into_inner().tables)
}

fn list(tables: Vec<v1::Table>, format: Format) -> Outcome {
    let mut listing = Listing::new("tables", &["name", "kind", "rows", "bytes", "first_time", "last_time", "doc"]);
    for table in tables {
        listing.push([
            Values::text(table.name),
            Values::text(table.kind),
            Values::Number(table.rows as i64),
            Values::Bytes(table.bytes as i64),
            Values::Time(table.first_time_ns),
            Values::Time(table.last_time_ns),
            Values::text(table.doc),
        ]);
    }
    super::print(&listing.answer(), format)
}

fn show(tables: &[v1::Table], name: &str, format: Format) -> Outcome {
    let Some(table) = tables.iter().find(|table| table.name == name) else {
        let near = crate::engine::nearest(name, tables.iter().map(|table| table.name.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(Failure::usage(format!("there is no table named `{name}`{hint}")));
    };
    let mut listing = Listing::new("columns", &["column", "type", "semantic", "kind", "unit", "doc"]);
    for column in &table.columns {
        let v1::Column { name, r#type, semantic } = column.column.clone().unwrap_or_default();
        let (pattern, unit, doc) = (column.pattern.clone(), column.unit.clone(), column.doc.clone());
        listing.push([name, r#type, semantic, pattern, unit, doc].map(Values::text));
    }
    if format == Format::Table {
        let kind = if table.kind == "event" { "events, oldest go first" } else { "state, kept whole" };
        let (rows, bytes) = (table.rows, human_bytes(table.bytes as f64));
        let mut text = format!("{}: {}\n{kind}: {rows} rows, {bytes}", table.name, table.doc);
        if table.last_time_ns > 0 {
            text += &format!(", {} to {}", time(table.first_time_ns), time(table.last_time_ns));
        }
        super::print_text(&format!("{text}\n\n"))?;
    }
    super::print(&listing.answer(), format)
}

fn time(nanoseconds: i64) -> String {
    let since = std::time::Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default());
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}
