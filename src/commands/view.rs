//! `watershed view create|list|show|drop`.

use clap::{Args, Subcommand};
use watershed_proto::v1;

use super::listing::{Listing, Values};
use crate::client::{TextChoice, Views, connect, failure_of};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::signals;

/// Named continuous views
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watershed view create busy -f busy.sql && watershed subscribe busy")]
pub(crate) struct View {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a view, or redefine the one of that name
    #[command(after_help = "Example:
  watershed view create busy -s \"SELECT resp_status, count(*) AS n FROM http_events
    WHERE time_ > now() - INTERVAL '1 minute' GROUP BY resp_status\"")]
    Create {
        /// Lower-case letters, digits and `_`
        name: String,
        #[command(flatten)]
        text: TextChoice,
    },
    /// All views with their rows and subscribers
    #[command(after_help = "Example:\n  watershed view list")]
    List {
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// A view's columns and script
    #[command(after_help = "Example:\n  watershed view show service_map")]
    Show {
        /// The view
        name: String,
        /// Format of the output [default: text]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// Drop a view
    #[command(after_help = "Example:\n  watershed view drop busy")]
    Drop {
        /// The view
        name: String,
    },
}

impl View {
    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        signals::runtime("api", 1)?.block_on(async {
            match self.command {
                Command::Create { name, text } => {
                    let script = text.script()?;
                    create(&mut connect(settings).await?, name, script).await
                }
                Command::List { output } => list(&mut connect(settings).await?, Format::or_default(output)).await,
                Command::Show { name, output } => show(&mut connect(settings).await?, &name, output).await,
                Command::Drop { name } => {
                    let request = v1::DropViewRequest { name: name.clone() };
                    connect(settings).await?.drop_view(request).await.map_err(|status| failure_of(&status))?;
                    eprintln!("dropped view {name}");
                    Ok(())
                }
            }
        })
    }
}

async fn create(views: &mut Views, name: String, script: v1::Script) -> Outcome {
    let request = v1::CreateViewRequest { name: name.clone(), script: Some(script) };
    let response = views.create_view(request).await.map_err(|status| failure_of(&status))?.into_inner();
    eprintln!("{} view {name}", if response.redefined { "redefined" } else { "created" });
    Ok(())
}

async fn list(views: &mut Views, format: Format) -> Outcome {
    let response = views.list_views(v1::ListViewsRequest {}).await.map_err(|status| failure_of(&status))?;
    let mut listing = Listing::new("views", &["name", "bundled", "rows", "subscribers", "key", "columns"]);
    for view in response.into_inner().views {
        let columns: Vec<_> = view.columns.iter().map(|column| column.name.as_str()).collect();
        listing.push([
            Values::text(view.name),
            Values::text(if view.bundled { "yes" } else { "no" }),
            Values::Number(view.rows as i64),
            Values::Number(view.subscribers as i64),
            Values::text(view.key.join(", ")),
            Values::text(columns.join(", ")),
        ]);
    }
    super::print(&listing.answer(), format)
}

async fn show(views: &mut Views, name: &str, format: Option<Format>) -> Outcome {
    let response = views.list_views(v1::ListViewsRequest {}).await.map_err(|status| failure_of(&status))?;
    let view = response.into_inner().views.into_iter().find(|view| view.name == name);
    let view = view.ok_or_else(|| {
        Failure::usage(format!("there is no view named `{name}`; `watershed view list` tells what there is"))
    })?;
    let mut columns = Listing::new("columns", &["column", "type", "semantic", "key"]);
    for column in &view.columns {
        let is_key = if view.key.contains(&column.name) { "key" } else { "" };
        let values = [column.name.as_str(), &column.r#type, &column.semantic, is_key];
        columns.push(values.map(Values::text));
    }
    if let Some(format) = format.filter(|format| *format != Format::Table) {
        return super::print(&columns.answer(), format);
    }
    let doc = if view.doc.is_empty() { String::new() } else { format!("{}\n\n", view.doc) };
    super::print_text(&format!("{doc}{}\n", view.text.trim_end()))?;
    super::print_text(&format!("\n{} rows, {} subscribers\n\n", view.rows, view.subscribers))?;
    super::print(&columns.answer(), Format::Table)
}
