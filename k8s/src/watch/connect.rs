//! How the API server is reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Where the address and the credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A kubeconfig file, with its current context.
    Kubeconfig(PathBuf),
    /// The service account of the pod that this runs in.
    InCluster,
}

/// Why there is no client. A server that does not answer is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be used.
    #[error("{}: {reason}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no service account.
    #[error("not in a cluster: {0}")]
    InCluster(String),
}

/// Whether this runs in a pod with a service account.
#[must_use]
pub fn in_cluster() -> bool {
    Path::new(SERVICE_ACCOUNT).exists()
}

/// A client of the server; it is not contacted yet.
///
/// # Errors
/// Where the file or the service account cannot be used.
pub async fn connect(access: &Access) -> Result<Client, Error> {
    // Others may bring another provider into the process; without a choice rustls would refuse to start.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let wrong = |error: &dyn std::error::Error| match access {
        Access::Kubeconfig(path) => Error::Kubeconfig { path: path.clone(), reason: one_line(error) },
        Access::InCluster => Error::InCluster(one_line(error)),
    };
    let mut config = match access {
        Access::Kubeconfig(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(file, &options).await.map_err(|error| wrong(&error))?
        }
        Access::InCluster => Config::incluster().map_err(|error| wrong(&error))?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false;
    Client::try_from(config).map_err(|error| wrong(&error))
}

/// An error and what caused it, in one line and without saying anything twice.
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
