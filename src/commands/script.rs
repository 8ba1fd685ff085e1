//! `watershed script list|show|check|functions`.

use clap::{Args, Subcommand};
use watershed_proto::v1;

use super::listing::{Listing, Values};
use crate::client::{Views, connect, failure_of, read_script};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::signals;

/// Bundled and own scripts
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  watershed script show ws/service_map > mine.sql && watershed script check mine.sql"
)]
pub(crate) struct Script {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All scripts, bundled and of the server's folder, with what is wrong with those of the folder
    #[command(after_help = "Example:\n  watershed script list")]
    List {
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// A script's text
    #[command(after_help = "Example:\n  watershed script show ws/service_map")]
    Show {
        /// Such as ws/service_map
        name: String,
    },
    /// Say whether a script compiles and can be a view, and what it would keep; exits with 2 if it does not compile
    #[command(after_help = "Example:\n  watershed script check busy.sql")]
    Check {
        /// The script's file (`-` reads stdin), or the name of one that the server knows
        file: String,
    },
    /// The functions that scripts can call beside those of SQL; asks no server
    #[command(after_help = "Example:\n  watershed script functions --search quantile")]
    Functions {
        /// Only those with this word in their name, signature or description
        #[arg(long)]
        search: Option<String>,
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
}

impl Script {
    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        signals::runtime("api", 1)?.block_on(async {
            match self.command {
                Command::List { output } => list(&mut connect(settings).await?, Format::or_default(output)).await,
                Command::Show { name } => show(&mut connect(settings).await?, &name).await,
                Command::Check { file } => {
                    let is_file = file == "-" || file.contains('.') || std::path::Path::new(&file).is_file();
                    let request = match is_file {
                        true => v1::CheckScriptRequest { script: Some(read_script(&file)?), ..Default::default() },
                        false => v1::CheckScriptRequest { name: file, ..Default::default() },
                    };
                    check(&mut connect(settings).await?, request).await
                }
                Command::Functions { search, output } => {
                    functions(search.as_deref().unwrap_or_default(), Format::or_default(output))
                }
            }
        })
    }
}

async fn scripts(views: &mut Views) -> Outcome<Vec<v1::BundledScript>> {
    let response = views.list_scripts(v1::ListScriptsRequest {}).await.map_err(|status| failure_of(&status))?;
    Ok(response.into_inner().scripts)
}

async fn list(views: &mut Views, format: Format) -> Outcome {
    let mut listing = Listing::new("scripts", &["name", "doc", "error"]);
    for script in scripts(views).await? {
        listing.push([script.name, script.doc, script.error].map(Values::text));
    }
    super::print(&listing.answer(), format)
}

fn functions(word: &str, format: Format) -> Outcome {
    let mut listing = Listing::new("functions", &["name", "signature", "doc"]);
    let found = watershed_query::functions::documented().into_iter().filter(|function| function.has(word));
    found.for_each(|function| {
        listing.push([function.name.as_ref(), function.signature.as_ref(), function.doc.as_ref()].map(Values::text));
    });
    super::print(&listing.answer(), format)
}

async fn show(views: &mut Views, name: &str) -> Outcome {
    let scripts = scripts(views).await?;
    let Some(script) = scripts.iter().find(|script| script.name == name) else {
        let near = crate::engine::nearest(name, scripts.iter().map(|script| script.name.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(Failure::usage(format!("there is no script named `{name}`{hint}")));
    };
    super::print_text(&format!("{}\n", script.text.trim_end()))
}

async fn check(views: &mut Views, request: v1::CheckScriptRequest) -> Outcome {
    let response = views.check_script(request).await.map_err(|status| failure_of(&status))?.into_inner();
    if !response.problems.is_empty() {
        let line = |problem: &v1::ScriptProblem| {
            let hint = if problem.hint.is_empty() { String::new() } else { format!("; {}", problem.hint) };
            format!("{}:{}:{}: {}{hint}", problem.origin, problem.line, problem.column, problem.message)
        };
        return Err(Failure::usage(response.problems.iter().map(line).collect::<Vec<_>>().join("\n")));
    }
    let mut text = String::new();
    for table in response.tables {
        let name = table.schema.map(|schema| schema.name).unwrap_or_default();
        let mut lines = table.explanation.into_iter();
        text += &format!("{name}: {}\n", lines.next().unwrap_or_default());
        lines.for_each(|line| text += &format!("  {line}\n"));
    }
    super::print_text(&text)
}
