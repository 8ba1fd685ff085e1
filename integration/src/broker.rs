//! A real Kafka broker (KRaft, one process) on free loopback ports, from the jars that `tools/setup.sh` fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::machine;
use crate::processes::{self, Owned};

/// User and password that every secured listener knows, with all rights.
pub const ADMIN: (&str, &str) = ("admin", "admin-secret");
/// User and password of somebody who may do nothing until told.
pub const GUEST: (&str, &str) = ("guest", "guest-secret");

const PROPERTIES: &str = "\
process.roles=ROLES
node.id=NODE
controller.quorum.voters=1@127.0.0.1:CONTROLLER_PORT
listeners=LISTENERS
advertised.listeners=PLAINTEXT://127.0.0.1:PLAIN_PORT,SASL_PLAINTEXT://127.0.0.1:SASL_PORT,SASL_SSL://127.0.0.1:TLS_PORT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_admin=\"admin-secret\" user_guest=\"guest-secret\";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location=FOLDER/server.pem
listener.name.sasl_ssl.ssl.client.auth=none
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
log.dirs=FOLDER/data
num.partitions=1
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
default.replication.factor=1
min.insync.replicas=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
";

/// Names the cluster.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A broker; it ends with its owner and its data with it.
#[derive(Debug)]
pub struct Broker {
    process: Option<Owned>,
    folder: TempDir,
    jars: String,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    plain: u16,
    sasl: u16,
    tls: u16,
    /// Of the first broker, which is the controller, too.
    controller: u16,
}

impl Broker {
    /// Starts one, or says why this machine cannot.
    ///
    /// # Errors
    /// The outer one when it does not start; the inner one is the reason to skip a test.
    pub fn start() -> Result<std::result::Result<Self, String>> {
        let jars = cache().join("kafka/lib");
        if machine::find("java").is_none() || !jars.join(".complete").exists() {
            let why = format!("no broker in {}; `tools/setup.sh test` fetches it", jars.display());
            return Ok(Err(why));
        }
        let jars = jars.join("*").to_string_lossy().into_owned();
        let scram = |(name, password)| format!("SCRAM-SHA-256=[name={name},password={password}]");
        let users = ["--add-scram", &scram(ADMIN), "--add-scram", &scram(GUEST)];
        Ok(Ok(Self::format(1, jars, machine::free_port(), &users)?))
    }

    /// Starts the second one of its cluster; the first one has to live on.
    ///
    /// # Errors
    /// When it does not start.
    pub fn second(&self) -> Result<Self> {
        Self::format(2, self.jars.clone(), self.ports.controller, &[])
    }

    fn format(node: u8, jars: String, controller: u16, users: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [plain, sasl, tls] = std::array::from_fn(|_| machine::free_port());
        let ports = Ports { plain, sasl, tls, controller };
        let mut listeners =
            format!("PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},SASL_SSL://127.0.0.1:{tls}");
        certify(folder.path())?;
        let mut roles = "broker";
        if node == 1 {
            roles = "broker,controller";
            listeners += &format!(",CONTROLLER://127.0.0.1:{controller}");
        }
        let properties = PROPERTIES
            .replace("ROLES", roles)
            .replace("NODE", &node.to_string())
            .replace("LISTENERS", &listeners)
            .replace("CONTROLLER_PORT", &controller.to_string())
            .replace("PLAIN_PORT", &ports.plain.to_string())
            .replace("SASL_PORT", &ports.sasl.to_string())
            .replace("TLS_PORT", &ports.tls.to_string())
            .replace("FOLDER", &folder.path().to_string_lossy());
        fs::write(folder.path().join("server.properties"), properties)?;
        let mut broker = Self { process: None, folder, jars, ports };
        let mut format = broker.java("kafka.tools.StorageTool", &["format", "-t", CLUSTER, "-c"]);
        processes::output(format.arg(broker.properties()).args(users))?;
        broker.resume()?;
        Ok(broker)
    }

    fn java(&self, class: &str, arguments: &[&str]) -> Command {
        let logging = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/log4j2.properties");
        let mut command = Command::new("java");
        command
            .env("CLASSPATH", &self.jars)
            .args(["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Dlog4j2.configurationFile=file:{}", logging.display()))
            .arg(class)
            .args(arguments);
        command
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    /// Starts it (again) and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub fn resume(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = self.java("kafka.Kafka", &[]);
        command.arg(self.properties()).stdout(Stdio::from(log.try_clone()?)).stderr(log);
        self.process = Some(Owned::spawn(&mut command)?);
        processes::wait_for_port(self.ports.plain).with_context(|| fs::read_to_string(self.log()).unwrap_or_default())
    }

    /// What it has to say.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    /// Kills it, as a machine that fails does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.0.kill();
            let _ = process.0.wait();
        }
    }

    /// Stops its threads, so that nothing is answered and no connection is closed, or lets them go on.
    pub fn freeze(&self, frozen: bool) {
        if let Some(process) = &self.process {
            processes::signal(process.pid(), if frozen { "STOP" } else { "CONT" });
        }
    }

    /// Where everybody may do everything.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// Where one has to say who one is.
    #[must_use]
    pub fn sasl_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.sasl)
    }

    /// The same through TLS.
    #[must_use]
    pub fn tls_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.tls)
    }

    /// The authority that its certificate is of.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Its data is thrown away, so there is nothing that it could end in order.
        self.kill();
    }
}

/// Makes a certificate that is its own authority, and with its key what the broker reads.
fn certify(folder: &Path) -> Result<()> {
    let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
                   -keyout key.pem -out certificate.pem";
    processes::output(Command::new("openssl").args(request.split(' ')).stderr(Stdio::null()).current_dir(folder))?;
    let parts = ["key.pem", "certificate.pem"].map(|name| fs::read_to_string(folder.join(name)));
    let [key, certificate] = parts;
    Ok(fs::write(folder.join("server.pem"), key? + &certificate?)?)
}

/// Where `tools/setup.sh` puts what tests need.
#[must_use]
pub fn cache() -> PathBuf {
    match std::env::var_os("WATERSHED_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/watershed"),
    }
}

/// Python with the libraries of other makes, if setup installed it.
#[must_use]
pub fn python() -> Option<PathBuf> {
    Some(cache().join("venv/bin/python")).filter(|python| python.exists())
}
