//! The composition: dataflow, bundled views, source, server, and their end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use watershed_dataflow::{Dataflow, Input, Running};
use watershed_ingest::{Ingest, Pace, SourceSpec};
use watershed_model::Tick;

use crate::alerts::{self, Outlets};
use crate::api::{self, Server};
use crate::cluster;
use crate::config::Settings;
use crate::detectors::Detectors;
use crate::engine::Engine;
use crate::exports::Exports;
use crate::failure::{Failure, Outcome};
use crate::feed::{Feed, Waiting, feed};
use crate::services::Services;
use crate::signals;
use crate::sinks::{self, Sinks};

/// Copied of a message while there is little traffic: the most that the probes can, since servers like Go's put chunk
/// sizes behind the head that the framing needs. Under load ingest lowers it.
const CAPTURE_BYTES: u32 = 4095;
/// Threads that serve the API.
const API_THREADS: usize = 2;
/// Ticks that may wait for the dataflow; a tick is 100 ms.
const QUEUED_TICKS: usize = 64;
/// The source and the workers have this long to end.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Runs until SIGINT or SIGTERM.
pub(crate) fn run(settings: &Settings) -> Outcome {
    log_to_stderr(settings);
    let token = settings.token()?;
    check_address(settings.listen(), token.as_deref())?;
    signals::runtime("api", API_THREADS)?.block_on(serve(settings, token))
}

async fn serve(settings: &Settings, token: Option<String>) -> Outcome {
    let (stop, stopping) = watch::channel(false);
    let listener = listen(settings.listen()).await?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let node = settings.node().map_or_else(host_name, str::to_owned);

    let (dataflow, input, running) = start_dataflow(settings, &node)?;
    let (feed, beside) = feed();
    let exports = Exports::new(node.clone(), settings.hidden(&node), settings.otel_collector().map(str::to_owned));
    let engine = Arc::new(Engine::new(dataflow, feed.clone(), exports, settings.state(), stopping.clone()));
    engine.restore().await.map_err(|problem| Failure::failed(format!("building the views: {problem}")))?;
    let own = keep_own(settings, &engine, feed.clone(), &node, stopping.clone()).await;
    let cluster = cluster::watch(settings, feed.clone()).await?;
    let detectors = Arc::new(Detectors::new(Arc::clone(&engine), feed.clone(), settings.state()));
    let ingest = start_ingest(settings, &node, input, beside)?;
    detectors.restore(settings.bundled_detectors()).await;
    let places = sinks::Places { state: settings.state(), files: settings.sink_files() };
    let sinks = Arc::new(Sinks::new(Arc::clone(&engine), node.clone(), settings.hidden(&node), places));
    sinks.restore().await.map_err(|problem| Failure::failed(format!("starting the sinks: {problem}")))?;
    let sinks_table = tokio::spawn(sinks::table::keep(Arc::clone(&sinks), feed));

    let (source, scopes) = (settings.source().to_owned(), settings.scopes().to_vec());
    let ready = format!("watershed: listening on {address} (source {source}, scope {})", scopes.join(", "));
    let ingest = Mutex::new(Some(ingest));
    let server = Arc::new(Server {
        engine,
        sinks,
        services: Services::default(),
        detectors,
        ingest,
        node,
        source,
        scopes,
        token,
    });
    let serving = tokio::spawn(api::serve(Arc::clone(&server), listener, stopping));
    eprintln!("{ready}");

    signals::end_requested().await;
    sinks_table.abort();
    // Sinks end first, so that they can write what they were handed.
    server.sinks.stop().await;
    let _ = stop.send(true);
    server.detectors.stop().await;
    let served = serving.await.map_err(Failure::failed)?;
    drop(cluster);
    for task in own {
        let _ = task.await;
    }
    let ingest = server.ingest.lock().unwrap_or_else(PoisonError::into_inner).take();
    end(ingest, running).await;
    Ok(served?)
}

/// The tasks that keep the user's scripts, and those of them that are alerts.
async fn keep_own(
    settings: &Settings,
    engine: &Arc<Engine>,
    feed: Feed,
    node: &str,
    stopping: watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let Some(directory) = settings.scripts() else { return Vec::new() };
    let (changes, scripts) = engine.keep_own(directory).await;
    let webhook = settings.alert_webhook().map(str::to_owned);
    let outlets =
        Outlets { feed, webhook, hidden: settings.hidden(node), node: node.to_owned(), state: settings.state() };
    vec![scripts, tokio::spawn(alerts::keep(Arc::clone(engine), outlets, changes, stopping))]
}

/// Stops the source, then the workers, in bounded time.
async fn end(ingest: Option<Ingest>, running: Running) {
    let ending = tokio::task::spawn_blocking(move || {
        if let Some(ingest) = ingest {
            ingest.stop();
        }
        running.shutdown();
    });
    if tokio::time::timeout(LAST_WORK, ending).await.is_err() {
        tracing::error!("source and workers did not end within {LAST_WORK:?}");
        std::process::exit(0);
    }
}

async fn listen(address: SocketAddr) -> Outcome<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            Failure::failed(format!("{address} is in use; stop who listens there, or choose another with --listen"))
        }
        std::io::ErrorKind::PermissionDenied => {
            Failure::not_permitted(format!("listening on {address} is not permitted; choose a port above 1023"))
        }
        _ => Failure::failed(format!("cannot listen on {address}: {error}")),
    })
}

/// The dataflow that the settings describe.
pub(crate) fn start_dataflow(settings: &Settings, node: &str) -> Outcome<(Dataflow, Input, Running)> {
    let config = watershed_dataflow::Config {
        workers: settings.workers(),
        data_budget_bytes: settings.data_budget() as usize,
        queue_ticks: QUEUED_TICKS,
        node: node.to_owned(),
    };
    Dataflow::start(config).map_err(|error| Failure::failed(format!("starting the dataflow: {error}")))
}

fn start_ingest(settings: &Settings, node: &str, input: Input, mut beside: Waiting) -> Outcome<Ingest> {
    let (spec, output) = match settings.source().split_once(':') {
        Some((_, path)) => {
            let pace = if settings.pace_is_fast() { Pace::AsFast } else { Pace::Recorded };
            let output: Box<dyn FnMut(Tick) + Send> = Box::new(move |mut tick| {
                beside.join(&mut tick);
                input.push_wait(tick);
            });
            (SourceSpec::Recording { path: PathBuf::from(path), pace }, output)
        }
        None => {
            let output: Box<dyn FnMut(Tick) + Send> = Box::new(move |mut tick| {
                beside.join(&mut tick);
                input.push(tick);
            });
            (SourceSpec::Kernel(kernel(settings)), output)
        }
    };
    Ingest::start(spec, ingest_config(settings, node), output).map_err(|error| failure_of_ingest(&error))
}

/// What ingest is to know of this node.
pub(crate) fn ingest_config(settings: &Settings, node: &str) -> watershed_ingest::Config {
    watershed_ingest::Config {
        asid: settings.asid(),
        host: node.to_owned(),
        capture_bodies: settings.capture_bodies() as usize,
        redact: settings.redact(),
    }
}

/// The kernel source that the settings describe.
pub(crate) fn kernel(settings: &Settings) -> watershed_bpf::Config {
    let parse = |scope: &String| scope.parse().expect("scopes were checked when the settings were loaded");
    watershed_bpf::Config {
        scopes: settings.scopes().iter().map(parse).collect(),
        ring_bytes: settings.ring_bytes() as u32,
        capture_bytes: CAPTURE_BYTES,
        ..watershed_bpf::Config::default()
    }
}

/// A source that does not start.
pub(crate) fn failure_of_ingest(error: &watershed_ingest::Error) -> Failure {
    match error {
        watershed_ingest::Error::Kernel(error) => failure_of_probe(error),
        other => Failure::failed(other),
    }
}

/// Probes that do not load.
pub(crate) fn failure_of_probe(error: &watershed_bpf::Error) -> Failure {
    match error {
        watershed_bpf::Error::NotPermitted { .. } => Failure::not_permitted(error),
        watershed_bpf::Error::Scope(_) => Failure::usage(error),
        watershed_bpf::Error::Unsupported(_) | watershed_bpf::Error::Load { .. } => Failure::failed(error),
    }
}

/// Everybody who reaches the port sees the traffic, so beyond this machine a token is required.
fn check_address(address: SocketAddr, token: Option<&str>) -> Outcome {
    if address.ip().is_loopback() || token.is_some() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--listen {address} is reachable from other machines, so a token is required: write one into a file and give \
         --token-file FILE, or set WATERSHED_TOKEN"
    )))
}

/// The machine's name.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

fn log_to_stderr(settings: &Settings) {
    // The client logs every failed try; what matters of it is said by the watches.
    let client = if settings.log().contains("kube_client") { "" } else { ",kube_client=off" };
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{}{client}", settings.log())).unwrap_or_default();
    // Already set only if `run` is called twice in a process, which it is not.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
