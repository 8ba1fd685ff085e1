//! `watershed.v1.Views`: messages to the engine's nouns and back.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, stream};
use tonic::{Request, Response, Status};
use watershed_dataflow::Pace;
use watershed_model::{Kind, Table, TickTime, tables};
use watershed_proto::v1;

use super::Server;
use crate::engine::{self, Beginning, Follower, Problem, Target};

/// The service.
pub(super) struct Service {
    pub(super) server: Arc<Server>,
}

type Subscribed = Pin<Box<dyn Stream<Item = Result<v1::SubscribeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::views_server::Views for Service {
    type SubscribeStream = Subscribed;

    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<v1::QueryResponse>, Status> {
        let request = request_of(request.into_inner().target)?;
        let answer = self.server.engine.query(&request).await?;
        let response = answer.try_into().map_err(|error| Problem::Failed(format!("encoding rows: {error}")))?;
        Ok(Response::new(response))
    }

    async fn subscribe(&self, request: Request<v1::SubscribeRequest>) -> Result<Response<Subscribed>, Status> {
        let peer = peer_of(&request);
        let request = request.into_inner();
        let beginning = if request.no_snapshot { Beginning::Changes } else { Beginning::Snapshot };
        let wanted = request_of(request.target)?;
        let follower = Follower::start(Arc::clone(&self.server.engine), wanted, peer, beginning, Pace::Live).await?;
        let events = stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            match follower.next().await {
                Err(problem) => Some((Err(problem.into()), None)),
                Ok(event) => {
                    let message = event.try_into().map_err(|error| Status::internal(format!("encoding rows: {error}")));
                    Some((message, Some(follower)))
                }
            }
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn list_views(&self, _: Request<v1::ListViewsRequest>) -> Result<Response<v1::ListViewsResponse>, Status> {
        let status = self.server.engine.dataflow.views();
        let view = |view: engine::NamedView| {
            let status = status.iter().find(|status| status.name == view.name);
            v1::View {
                rows: status.map_or(0, |status| status.rows as u64),
                subscribers: status.map_or(0, |status| status.subscribers as u64),
                name: view.name,
                text: view.text,
                doc: view.doc,
                bundled: view.bundled,
                columns: view.columns.into_iter().map(Into::into).collect(),
                key: view.key,
            }
        };
        let views = self.server.engine.named_views().into_iter().map(view).collect();
        Ok(Response::new(v1::ListViewsResponse { views }))
    }

    async fn create_view(
        &self,
        request: Request<v1::CreateViewRequest>,
    ) -> Result<Response<v1::CreateViewResponse>, Status> {
        let v1::CreateViewRequest { name, script } = request.into_inner();
        let v1::Script { text, origin, .. } = script.unwrap_or_default();
        let redefined = self.server.engine.create_view(&name, &text, &origin).await?;
        Ok(Response::new(v1::CreateViewResponse { redefined }))
    }

    async fn drop_view(&self, request: Request<v1::DropViewRequest>) -> Result<Response<v1::DropViewResponse>, Status> {
        self.server.engine.drop_view(&request.into_inner().name).await?;
        Ok(Response::new(v1::DropViewResponse {}))
    }

    async fn list_scripts(
        &self,
        _: Request<v1::ListScriptsRequest>,
    ) -> Result<Response<v1::ListScriptsResponse>, Status> {
        Ok(Response::new(v1::ListScriptsResponse { scripts: scripts(&self.server) }))
    }

    async fn check_script(
        &self,
        request: Request<v1::CheckScriptRequest>,
    ) -> Result<Response<v1::CheckScriptResponse>, Status> {
        let v1::CheckScriptRequest { script, name } = request.into_inner();
        let v1::Script { text, origin, vis } = script.unwrap_or_default();
        let target = match name.is_empty() {
            true => Target::Text { text, origin, vis: (!vis.is_empty()).then_some(vis) },
            false => Target::Named(name),
        };
        Ok(Response::new(self.server.engine.check(target)))
    }

    async fn list_tables(&self, _: Request<v1::ListTablesRequest>) -> Result<Response<v1::ListTablesResponse>, Status> {
        Ok(Response::new(v1::ListTablesResponse { tables: tables_of(&self.server) }))
    }
}

/// The bundled scripts and those of the user's folder, by name.
pub(super) fn scripts(server: &Server) -> Vec<v1::BundledScript> {
    let bundled = watershed_query::bundled().iter().map(|script| v1::BundledScript {
        name: script.name.to_owned(),
        doc: script.doc.to_owned(),
        text: script.text.to_owned(),
        ..Default::default()
    });
    let own = server.engine.library.own();
    let own = own.iter().map(|(name, own)| v1::BundledScript {
        name: name.clone(),
        doc: own.script.as_ref().map(|script| script.manifest.doc.clone()).unwrap_or_default(),
        text: own.script.as_ref().map(|script| script.text.clone()).unwrap_or_default(),
        error: own.error.clone(),
        own: true,
    });
    let mut scripts: Vec<_> = bundled.chain(own).collect();
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}

/// All tables with what they hold.
pub(super) fn tables_of(server: &Server) -> Vec<v1::Table> {
    let status = server.engine.dataflow.tables();
    let table = |table: &&Table| {
        let status = status.iter().find(|status| status.name == table.name);
        v1::Table {
            name: table.name.to_owned(),
            doc: table.doc.to_owned(),
            kind: match table.kind {
                Kind::Event => "event".to_owned(),
                Kind::State => "state".to_owned(),
            },
            columns: table.columns.iter().map(column_of).collect(),
            rows: status.map_or(0, |status| status.rows as u64),
            bytes: status.map_or(0, |status| status.bytes as u64),
            first_time_ns: time_of(status.and_then(|status| status.first_time)),
            last_time_ns: time_of(status.and_then(|status| status.last_time)),
        }
    };
    tables::ALL.iter().map(table).collect()
}

fn time_of(tick: Option<TickTime>) -> i64 {
    tick.map_or(0, TickTime::as_nanoseconds)
}

fn column_of(column: &watershed_model::Column) -> v1::TableColumn {
    use watershed_model::Semantic;
    let unit = match column.semantic {
        Semantic::TimeNs | Semantic::DurationNs | Semantic::DurationNsQuantiles => "ns",
        Semantic::Bytes => "bytes",
        Semantic::Percent => "share",
        Semantic::ThroughputPerNs => "1/ns",
        Semantic::ThroughputBytesPerNs => "bytes/ns",
        _ => "",
    };
    v1::TableColumn {
        column: Some(v1::Column {
            name: column.name.to_owned(),
            r#type: column.data_type.name().to_owned(),
            semantic: column.semantic.name().to_owned(),
        }),
        pattern: column.pattern.name().to_owned(),
        unit: unit.to_owned(),
        doc: column.doc.to_owned(),
    }
}

fn request_of(target: Option<v1::Target>) -> Result<engine::Request, Problem> {
    let missing = || Problem::Invalid { field: "target", message: "name a view or script, or give a text".to_owned() };
    let target = target.ok_or_else(missing)?;
    let arguments = target.arguments.into_iter().collect();
    let target = match target.target.ok_or_else(missing)? {
        v1::target::Target::Name(name) => Target::Named(name),
        v1::target::Target::Script(script) => {
            let vis = (!script.vis.is_empty()).then_some(script.vis);
            Target::Text { text: script.text, origin: script.origin, vis }
        }
    };
    Ok(engine::Request { target, arguments })
}

fn peer_of<T>(request: &Request<T>) -> String {
    let agent = request.metadata().get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or("grpc");
    agent.split_whitespace().next().unwrap_or("grpc").to_owned()
}
