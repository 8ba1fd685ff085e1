//! `watershed subscribe`: events of a subscription to stdout, through restarts of the server.

mod screen;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Status, Streaming};
use watershed_proto::v1;

use self::screen::Screen;
use crate::client::{Arguments, ScriptChoice, connect, failure_of};
use crate::config::Settings;
use crate::failure::{Exit, Failure, Outcome};
use crate::format::{Format, csv_changes, csv_header, json};
use crate::rows::{Event, TableSchema, encode, events_of};
use crate::signals;

/// A server that went away is waited for this long.
const RECONNECT_FOR: Duration = Duration::from_secs(30);
const RECONNECT_EVERY: Duration = Duration::from_millis(250);

/// Keep a script or view answered: the rows there are, then every change
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  watershed subscribe service_map
  watershed subscribe -s \"SELECT resp_status, count(*) AS n FROM http_events
    WHERE time_ > now() - INTERVAL '1 minute' GROUP BY resp_status\" -o jsonl --for 10s")]
pub(crate) struct Subscribe {
    #[command(flatten)]
    script: ScriptChoice,
    #[command(flatten)]
    arguments: Arguments,
    /// Begin with changes instead of the rows that are there
    #[arg(long)]
    no_snapshot: bool,
    /// End after this time, such as 10s, 5m or 1h30m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Format of the output [default: table on a terminal, else jsonl]
    #[arg(short, long)]
    output: Option<Format>,
}

impl Subscribe {
    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        let target = self.script.target(&self.arguments)?;
        let request = v1::SubscribeRequest { target: Some(target), no_snapshot: self.no_snapshot };
        let mut printer = Printer::new(Format::or_default(self.output));
        let runtime = signals::runtime("api", 2)?;
        let ended = runtime.block_on(async {
            signals::end_when_stuck();
            let deadline = self.duration.map(|duration| Instant::now() + duration);
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = follow(settings, &request, &mut printer) => ended,
                () = over => Ok(()),
                () = signals::end_requested() => Ok(()),
            }
        });
        runtime.shutdown_background();
        printer.finish();
        ended
    }
}

/// Prints events until something ends it.
async fn follow(settings: &Settings, request: &v1::SubscribeRequest, printer: &mut Printer) -> Outcome {
    let mut stream = open(settings, request).await?;
    loop {
        let response = match stream.message().await {
            Ok(Some(response)) => response,
            Ok(None) => {
                stream = reopen(settings, request, printer).await?;
                continue;
            }
            Err(status) if is_gone(&status) => {
                stream = reopen(settings, request, printer).await?;
                continue;
            }
            Err(status) => return Err(failure_of(&status)),
        };
        let events = events_of(response).map_err(|error| Failure::failed(format!("reading rows: {error}")))?;
        for event in events {
            if let Err(error) = printer.print(event) {
                return Failure::of_output(&error).map_or(Ok(()), Err);
            }
        }
    }
}

async fn open(settings: &Settings, request: &v1::SubscribeRequest) -> Outcome<Streaming<v1::SubscribeResponse>> {
    let response = connect(settings).await?.subscribe(request.clone()).await;
    Ok(response.map_err(|status| failure_of(&status))?.into_inner())
}

/// Subscribes again, with the snapshot, once the server is back.
async fn reopen(
    settings: &Settings,
    request: &v1::SubscribeRequest,
    printer: &mut Printer,
) -> Outcome<Streaming<v1::SubscribeResponse>> {
    let request = v1::SubscribeRequest { no_snapshot: false, ..request.clone() };
    let give_up = Instant::now() + RECONNECT_FOR;
    loop {
        sleep(RECONNECT_EVERY).await;
        match open(settings, &request).await {
            Ok(stream) => {
                let restart = Event::Restart("the connection to the server was lost".to_owned());
                return match printer.print(restart) {
                    Ok(()) => Ok(stream),
                    Err(error) => Err(Failure::of_output(&error).unwrap_or_else(|| Failure::failed("output closed"))),
                };
            }
            Err(failure) if failure.exit == Exit::NoServer && Instant::now() < give_up => (),
            Err(failure) => return Err(failure),
        }
    }
}

/// Whether the stream broke because the server or the connection to it went away.
fn is_gone(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

/// Writes events in a format.
struct Printer {
    format: Format,
    schema: Vec<TableSchema>,
    screen: Option<Screen>,
}

impl Printer {
    fn new(format: Format) -> Self {
        let screen = (format == Format::Table).then(|| Screen::new(io::stdout().is_terminal()));
        Self { format, schema: Vec::new(), screen }
    }

    fn print(&mut self, event: Event) -> io::Result<()> {
        // The schema is told again only if it is another.
        if let Event::Schema(schema) = &event {
            if *schema == self.schema {
                return Ok(());
            }
            self.schema.clone_from(schema);
        }
        let mut output = io::stdout().lock();
        match self.format {
            Format::Table => {
                let screen = self.screen.as_mut().expect("the format table has a screen");
                return screen.apply(event, &mut output);
            }
            Format::Json | Format::Jsonl => output.write_all(json::lines_of_event(&event).as_bytes())?,
            Format::Csv => match &event {
                Event::Schema(tables) => {
                    for table in tables {
                        let header = csv_header(&["_kind", "_table", "_time", "_diff"], &table.columns);
                        output.write_all(header.as_bytes())?;
                    }
                }
                Event::Changes(changes) => output.write_all(csv_changes(changes).as_bytes())?,
                Event::Progress(time) => writeln!(output, "progress,,{time},")?,
                Event::Restart(_) => writeln!(output, "restart,,,")?,
            },
            Format::Arrow => {
                if let Event::Changes(changes) = &event {
                    output.write_all(&with_diffs(changes)?)?;
                }
            }
        }
        output.flush()
    }

    fn finish(&mut self) {
        if let Some(screen) = &mut self.screen {
            // The terminal may be gone; there is nobody to tell.
            let _ = screen.draw(&mut io::stdout().lock());
        }
    }
}

/// The rows as one IPC stream with `_table`, `_time`, `_diff` and `_snapshot` before the columns.
fn with_diffs(changes: &crate::rows::Changes) -> io::Result<Vec<u8>> {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt64Array};
    let count = changes.rows.num_rows();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("_table", Arc::new(StringArray::from(vec![changes.table.as_str(); count]))),
        ("_time", Arc::new(UInt64Array::from(vec![changes.time; count]))),
        ("_diff", Arc::new(Int64Array::from(changes.diffs.clone()))),
        ("_snapshot", Arc::new(BooleanArray::from(vec![changes.snapshot; count]))),
    ];
    let schema = changes.rows.schema();
    let own = schema.fields().iter().map(|field| field.name().as_str()).zip(changes.rows.columns().iter().cloned());
    columns.extend(own);
    let batch = RecordBatch::try_from_iter(columns).map_err(io::Error::other)?;
    encode(&batch.schema(), [&batch]).map_err(io::Error::other)
}
