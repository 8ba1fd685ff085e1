//! `watershed query`.

use clap::Args;
use watershed_proto::v1;

use crate::client::{Arguments, ScriptChoice, connect, failure_of};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::rows::Answer;
use crate::signals;

/// Run a script once over what the server's tables hold
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  watershed query service_map
  watershed query -s \"SELECT req_path, count(*) AS n FROM http_events GROUP BY req_path\" -o json
  watershed query -f slow.sql --arg least=100")]
pub(crate) struct Query {
    #[command(flatten)]
    script: ScriptChoice,
    #[command(flatten)]
    arguments: Arguments,
    /// Format of the output [default: table on a terminal, else jsonl]
    #[arg(short, long)]
    output: Option<Format>,
}

impl Query {
    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        let target = self.script.target(&self.arguments)?;
        let answer = signals::runtime("api", 1)?.block_on(async {
            let mut views = connect(settings).await?;
            let request = v1::QueryRequest { target: Some(target) };
            let response = views.query(request).await.map_err(|status| failure_of(&status))?;
            Answer::try_from(response.into_inner()).map_err(|error| Failure::failed(format!("reading rows: {error}")))
        })?;
        super::print(&answer, Format::or_default(self.output))
    }
}
