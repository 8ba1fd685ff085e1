//! A real API server with its etcd, and requests to it. Alone, objects are what a test says; [`nodes`] adds the rest of
//! a cluster.

mod image;
mod node;
pub mod nodes;
pub mod objects;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::machine::free_port;
use crate::network::command_in;
use crate::processes::{self, Owned, signal};

/// May do everything.
const ADMIN: &str = "admin-token";
/// May do what a test grants to the user `limited`.
const LIMITED: &str = "limited-token";

/// A request: method, path and body.
pub type Request = (&'static str, String, Option<Value>);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum User {
    /// May do everything.
    Admin,
    /// Has no rights but those that a test gives to the user `limited`.
    Limited,
}

/// Where an API server runs, and what that means for its flags.
#[derive(Debug, Clone)]
struct Site {
    namespace: Option<String>,
    address: &'static str,
    flags: &'static [&'static str],
    audited: bool,
}

/// On loopback, which no node can reach.
const ALONE: Site = Site {
    namespace: None,
    address: "127.0.0.1",
    flags: &["--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none"],
    audited: false,
};

/// What the user `limited` asks for is written down.
const AUDIT: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": ["limited"]}, {"level": "None"}]}"#;

/// An API server and its etcd; both end with it.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    site: Site,
    folder: TempDir,
    etcd_port: u16,
    port: u16,
    _etcd: Owned,
    server: Option<Owned>,
}

/// The folder with the binaries: those that tools/kubernetes.sh built. Prints why there are none.
#[must_use]
pub fn binaries(test: &str) -> Option<PathBuf> {
    built(test, &["etcd", "kube-apiserver"])
}

/// The folder with these binaries among others.
fn built(test: &str, names: &[&str]) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/kubernetes.sh");
    match processes::output(Command::new(script).arg("--built").args(names)) {
        Ok(folder) => Some(PathBuf::from(folder.trim())),
        Err(error) => {
            println!("SKIPPED {test}: there is no Kubernetes: {error:#}");
            None
        }
    }
}

impl Cluster {
    /// Starts both and waits until the server is ready.
    ///
    /// # Errors
    /// When it is not ready after a minute.
    pub fn start(binaries: &Path) -> Result<Self> {
        Self::start_at(binaries, ALONE)
    }

    /// The same, and writes down what the user `limited` asks for.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_audited(binaries: &Path) -> Result<Self> {
        Self::start_at(binaries, Site { audited: true, ..ALONE })
    }

    fn start_at(binaries: &Path, site: Site) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("tokens.csv"), format!("{ADMIN},admin,a,\"system:masters\"\n{LIMITED},limited,l\n"))?;
        processes::output(Command::new("openssl").args(["genrsa", "-out"]).arg(path("sa.key")))?;
        let (etcd_port, peer_port) = (free_port(), free_port());
        let client = format!("http://127.0.0.1:{etcd_port}");
        let peer = format!("http://127.0.0.1:{peer_port}");
        let etcd = Owned::spawn(
            command_in(site.namespace.as_deref(), &binaries.join("etcd"))
                .arg("--data-dir")
                .arg(path("etcd"))
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &format!("default={peer}"), "--unsafe-no-fsync"])
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(path("etcd.log"))?),
        )?;
        let binaries = binaries.to_owned();
        let mut cluster = Cluster { binaries, site, folder, etcd_port, port: free_port(), _etcd: etcd, server: None };
        cluster.start_server()?;
        Ok(cluster)
    }

    /// Starts the API server, on the port that it had before.
    ///
    /// # Errors
    /// When it is not ready after a minute.
    pub fn start_server(&mut self) -> Result<()> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let log = std::fs::File::create(path("server.log"))?;
        let key = path("sa.key");
        let mut command = self.command("kube-apiserver");
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
            .arg(format!("--secure-port={}", self.port))
            .arg(format!("--cert-dir={}", path("pki")))
            .arg(format!("--token-auth-file={}", path("tokens.csv")))
            .args([format!("--service-account-signing-key-file={key}"), format!("--service-account-key-file={key}")])
            .arg(format!("--bind-address={}", self.site.address))
            .args(self.site.flags)
            .args(["--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.test"])
            .args(["--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount"])
            .args(["--enable-priority-and-fairness=false", "--shutdown-watch-termination-grace-period=1s"]);
        if self.site.audited {
            std::fs::write(path("audit.json"), AUDIT)?;
            command.arg(format!("--audit-policy-file={}", path("audit.json")));
            command.arg(format!("--audit-log-path={}", path("audit.log")));
        }
        self.server = Some(Owned::spawn(command.stdout(Stdio::null()).stderr(log))?);
        processes::wait_at_most(60, "the API server", || self.get("/readyz").is_ok())
    }

    /// One of the binaries, where the API server runs.
    fn command(&self, name: &str) -> Command {
        command_in(self.site.namespace.as_deref(), &self.binaries.join(name))
    }

    /// Kills the API server and waits until it is gone; etcd stays.
    pub fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            signal(server.pid(), "KILL");
            let _ = server.0.wait();
        }
    }

    /// Forgets all versions but the newest.
    ///
    /// # Errors
    /// When etcd refuses.
    pub fn compact(&self) -> Result<()> {
        let url = |path: &str| format!("http://127.0.0.1:{}/v3/kv/{path}", self.etcd_port);
        let post = |path: &str, body: Value| {
            processes::output(self.client().args(["-sf", "-d", &body.to_string(), &url(path)]))
        };
        let answer: Value = serde_json::from_str(&post("range", json!({"key": "AA=="}))?)?;
        let revision = answer["header"]["revision"].as_str().context("a revision")?.to_owned();
        post("compaction", json!({"revision": revision, "physical": true})).map(drop)
    }

    /// What the user `limited` asked for, as verb and address, in order; a watch also when it ends.
    ///
    /// # Errors
    /// When nothing is written down.
    pub fn audited(&self) -> Result<Vec<(String, String)>> {
        let text = std::fs::read_to_string(self.folder.path().join("audit.log"))?;
        let events = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(events.iter().map(|event| (text(&event["verb"]), text(&event["requestURI"]))).collect())
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A kubeconfig for a user, of the server behind a port of its address.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kubeconfig(&self, user: User, port: u16) -> Result<PathBuf> {
        let token = match user {
            User::Admin => ADMIN,
            User::Limited => LIMITED,
        };
        let authority = self.folder.path().join("pki/apiserver.crt");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{}:{port}", self.site.address), "certificate-authority": authority}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        let path = self.folder.path().join(format!("{token}-{port}.kubeconfig"));
        std::fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// What is at a path.
    ///
    /// # Errors
    /// When the server does not answer with 2xx.
    pub fn get(&self, path: &str) -> Result<String> {
        processes::output(self.curl().arg(self.url(path)))
    }

    /// Sends requests in order over one connection; each must be answered with 2xx.
    ///
    /// # Errors
    /// When one is not; the error holds the answer.
    pub fn send(&self, requests: &[Request]) -> Result<()> {
        self.send_with(&[], requests)
    }

    /// The same, at so many a second.
    ///
    /// # Errors
    /// As [`Cluster::send`].
    pub fn send_at(&self, per_second: u32, requests: &[Request]) -> Result<()> {
        self.send_with(&["--rate", &format!("{per_second}/s")], requests)
    }

    fn send_with(&self, flags: &[&str], requests: &[Request]) -> Result<()> {
        let mut config = String::new();
        for (method, path, body) in requests {
            let separator = if config.is_empty() { "" } else { "next\n" };
            let kind = if *method == "PATCH" { "application/strategic-merge-patch+json" } else { "application/json" };
            write!(
                config,
                "{separator}silent\nshow-error\nfail-with-body\ncacert = {:?}\nheader = \"Authorization: Bearer {ADMIN}\"\n\
                 header = \"Content-Type: {kind}\"\nrequest = {method}\nurl = {:?}\n",
                self.folder.path().join("pki/apiserver.crt"),
                self.url(path),
            )?;
            if let Some(body) = body {
                writeln!(config, "data-raw = {:?}", body.to_string())?;
            }
        }
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), config)?;
        let result = self.client().args(flags).args(["--fail-early", "-K"]).arg(file.path()).output()?;
        anyhow::ensure!(result.status.success(), "{}", last(&result.stdout));
        Ok(())
    }

    fn client(&self) -> Command {
        command_in(self.site.namespace.as_deref(), Path::new("curl"))
    }

    fn curl(&self) -> Command {
        let mut curl = self.client();
        curl.args(["-sSf", "--max-time", "10", "--cacert"]).arg(self.folder.path().join("pki/apiserver.crt"));
        curl.args(["-H", &format!("Authorization: Bearer {ADMIN}")]);
        curl
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}:{}{path}", self.site.address, self.port)
    }
}

/// The end of an answer, where what went wrong is written.
fn last(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().rev().take(600).collect::<Vec<_>>().into_iter().rev().collect()
}
