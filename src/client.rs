//! The way of every other command into the product: the gRPC API at `--server`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use watershed_proto::v1;
use watershed_proto::v1::detectors_client::DetectorsClient;
use watershed_proto::v1::sinks_client::SinksClient;
use watershed_proto::v1::views_client::ViewsClient;

use crate::config::Settings;
use crate::failure::{Failure, Outcome};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The service `Views` of a server, with the token sent along.
pub(crate) type Views = ViewsClient<InterceptedService<Channel, Token>>;

/// The service `Sinks` of a server.
pub(crate) type Sinks = SinksClient<InterceptedService<Channel, Token>>;

/// The service `Detectors` of a server, with the token sent along.
pub(crate) type Detectors = DetectorsClient<InterceptedService<Channel, Token>>;

/// Puts the token into every request.
#[derive(Debug, Clone)]
pub(crate) struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Connects to the server that the settings name.
pub(crate) async fn connect(settings: &Settings) -> Outcome<Views> {
    let (channel, token) = channel(settings).await?;
    Ok(ViewsClient::with_interceptor(channel, token).max_decoding_message_size(usize::MAX))
}

/// Connects to the same server's sinks.
pub(crate) async fn connect_sinks(settings: &Settings) -> Outcome<Sinks> {
    let (channel, token) = channel(settings).await?;
    Ok(SinksClient::with_interceptor(channel, token))
}

/// Connects to the detectors of the server that the settings name.
pub(crate) async fn connect_detectors(settings: &Settings) -> Outcome<Detectors> {
    let (channel, token) = channel(settings).await?;
    Ok(DetectorsClient::with_interceptor(channel, token))
}

async fn channel(settings: &Settings) -> Outcome<(Channel, Token)> {
    let server = settings.server();
    let endpoint = Endpoint::from_shared(format!("http://{server}"))
        .map_err(|error| Failure::usage(format!("--server {server}: {error}; write it like 127.0.0.1:7070")))?
        .user_agent(concat!("watershed/", env!("CARGO_PKG_VERSION")))
        .map_err(Failure::failed)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .tcp_nodelay(true);
    let token = match settings.token()? {
        None => None,
        Some(token) => {
            let value = format!("Bearer {token}").parse();
            Some(value.map_err(|_| Failure::usage("the token has characters that cannot be sent"))?)
        }
    };
    let channel = endpoint.connect().await.map_err(|_| {
        Failure::no_server(format!("no server at {server}; start one with `watershed run`, or name one with --server"))
    })?;
    Ok((channel, Token(token)))
}

/// A server's refusal as the end of a command.
pub(crate) fn failure_of(status: &Status) -> Failure {
    let message = status.message();
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::AlreadyExists => {
            Failure::usage(message)
        }
        Code::Unauthenticated | Code::PermissionDenied => Failure::not_permitted(message),
        Code::Unavailable => Failure::no_server(format!("the server is gone: {message}")),
        _ => Failure::failed(if message.is_empty() { status.code().description() } else { message }),
    }
}

/// What to run: exactly one of a name, a file and a text.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
pub(crate) struct ScriptChoice {
    /// A named view, or a bundled script such as ws/service_map
    #[arg(group = "what", value_name = "VIEW|SCRIPT")]
    name: Option<String>,
    #[command(flatten)]
    text: TextChoice,
}

/// A script's text, from a file or the command line.
#[derive(Debug, Args)]
pub(crate) struct TextChoice {
    /// A script's file (`-` reads stdin): .sql is SQL
    #[arg(short, long, group = "what", value_name = "FILE")]
    file: Option<String>,
    /// A script's text
    #[arg(short = 's', long = "script", group = "what", value_name = "TEXT")]
    script: Option<String>,
}

/// `--arg k=v`, repeatable.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Value of a script's parameter `$k`
    #[arg(long = "arg", value_name = "K=V", value_parser = parse_argument)]
    arguments: Vec<(String, String)>,
}

fn parse_argument(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like --arg name=value".to_owned()),
    }
}

impl ScriptChoice {
    /// The message that names it.
    pub(crate) fn target(&self, arguments: &Arguments) -> Outcome<v1::Target> {
        let target = match &self.name {
            Some(name) => v1::target::Target::Name(name.clone()),
            None => v1::target::Target::Script(self.text.script()?),
        };
        let arguments: BTreeMap<_, _> = arguments.arguments.iter().cloned().collect();
        Ok(v1::Target { target: Some(target), arguments: arguments.into_iter().collect() })
    }
}

impl TextChoice {
    /// The text and where it came from.
    pub(crate) fn script(&self) -> Outcome<v1::Script> {
        match (&self.file, &self.script) {
            (Some(path), _) => read_script(path),
            (None, Some(text)) => {
                Ok(v1::Script { text: text.clone(), origin: "script".to_owned(), vis: String::new() })
            }
            (None, None) => Err(Failure::usage("give a script with -f FILE or -s TEXT")),
        }
    }
}

/// Reads a script's file.
pub(crate) fn read_script(path: &str) -> Outcome<v1::Script> {
    let wrong = |error: std::io::Error| Failure::usage(format!("{path}: {error}"));
    if path == "-" {
        let text = std::io::read_to_string(std::io::stdin()).map_err(wrong)?;
        return Ok(v1::Script { text, origin: "stdin".to_owned(), vis: String::new() });
    }
    let text = std::fs::read_to_string(path).map_err(wrong)?;
    let beside = std::path::Path::new(path).with_file_name("vis.json");
    let vis = match path.ends_with(".pxl") && beside.exists() {
        true => std::fs::read_to_string(&beside)
            .map_err(|error| Failure::usage(format!("{}: {error}", beside.display())))?,
        false => String::new(),
    };
    Ok(v1::Script { text, origin: path.to_owned(), vis })
}
