//! `watershed detector export-features`: the features that a model would have seen, as Parquet.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray, TimestampNanosecondArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tokio::time::sleep;
use watershed_detectors::Manifest;
use watershed_proto::v1;

use super::applied;
use crate::client::{connect, failure_of};
use crate::config::Settings;
use crate::detectors::replay::{self, Live, Table};
use crate::failure::{Failure, Outcome};
use crate::rows::events_of;
use crate::signals;

/// Writes `time_`, `subject` and the features of each batch: of a recording, or of the server until it is over.
pub(super) async fn export(
    settings: &Settings,
    request: v1::ApplyDetectorRequest,
    to: &Path,
    duration: Option<Duration>,
) -> Outcome {
    let (manifest, table) = match settings.source().starts_with("recording:") {
        true => replay::features(settings, &applied(request)).await?,
        false => live(settings, request, duration).await?,
    };
    let rows = write(&manifest, table, to).map_err(|error| Failure::failed(format!("{}: {error}", to.display())))?;
    eprintln!("{rows} rows of {} features in {}", manifest.features.len(), to.display());
    Ok(())
}

async fn live(
    settings: &Settings,
    request: v1::ApplyDetectorRequest,
    duration: Option<Duration>,
) -> Outcome<(Manifest, Table)> {
    let manifest = Manifest::parse(&request.manifest, &request.origin).map_err(Failure::usage)?;
    let target = match &manifest.view {
        Some(view) => v1::target::Target::Name(view.clone()),
        None => {
            let origin = manifest.source().to_owned();
            v1::target::Target::Script(v1::Script { text: request.script, origin, vis: String::new() })
        }
    };
    let target = Some(v1::Target { target: Some(target), ..v1::Target::default() });
    let subscribe = v1::SubscribeRequest { target, no_snapshot: false };
    let stream = connect(settings).await?.subscribe(subscribe).await;
    let mut stream = stream.map_err(|status| failure_of(&status))?.into_inner();
    let mut live = Live::new(&manifest);
    let mut table = Table::default();
    let over = async {
        match duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        let message = tokio::select! {
            message = stream.message() => message.map_err(|status| failure_of(&status))?,
            () = &mut over => break,
            () = signals::end_requested() => break,
        };
        let Some(message) = message else { break };
        for event in events_of(message).map_err(Failure::failed)? {
            live.take(event, &manifest, &mut table).map_err(|error| Failure::usage(format!("{error:#}")))?;
        }
    }
    Ok((manifest, table))
}

fn write(manifest: &Manifest, table: Table, to: &Path) -> anyhow::Result<usize> {
    let Table { times, subjects, mut features } = table;
    features.resize(manifest.features.len(), Vec::new());
    let times = TimestampNanosecondArray::from(times).with_timezone("UTC");
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("time_", Arc::new(times)), ("subject", Arc::new(StringArray::from(subjects)))];
    for (name, values) in manifest.features.iter().zip(features) {
        columns.push((name, Arc::new(Float32Array::from(values))));
    }
    let batch = RecordBatch::try_from_iter(columns)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(File::create(to)?, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(batch.num_rows())
}
