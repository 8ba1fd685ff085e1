//! The real servers of the judged conversations, each on its usual port in its own namespace.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::stage::{self, Stage};
use crate::processes::Owned;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle");
/// Small and quick to start rather than fast.
const JAVA: [&str; 4] = ["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Where `tools/servers.sh` put a server.
#[must_use]
pub fn fetched(name: &str) -> PathBuf {
    stage::cache().join("servers").join(name)
}

/// Runs a step of a server's preparation.
fn prepare(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    if status.success() { Ok(()) } else { bail!("{command:?} ended with {status}") }
}

/// nats-server with JetStream.
///
/// # Errors
/// As all here, when it cannot be started.
pub fn nats(stage: &Stage) -> Result<Owned> {
    let text = format!("listen: \"127.0.0.1:4222\"\njetstream {{ store_dir: \"{}\" }}\n", stage.path("jetstream"));
    fs::write(stage.path("nats.conf"), text)?;
    Owned::spawn(stage.command("nats-server")?.args(["-c", "nats.conf"]))
}

/// RabbitMQ without plugins; its port mapper ends with it.
///
/// # Errors
/// When it cannot be started.
pub fn rabbitmq(stage: &Stage) -> Result<Owned> {
    let settings = "listeners.tcp.1 = 127.0.0.1:5672\nloopback_users.guest = true\nlog.console = true\n\
                    log.console.level = warning\nlog.file = false\n";
    fs::write(stage.path("rabbitmq.conf"), settings)?;
    fs::write(stage.path("plugins"), "[].\n")?;
    let mut command = stage.command("/usr/lib/rabbitmq/bin/rabbitmq-server")?;
    command.env("HOME", stage.folder.path()).env("RABBITMQ_NODENAME", "tests@localhost");
    command.env("RABBITMQ_MNESIA_BASE", stage.path("mnesia")).env("RABBITMQ_LOG_BASE", stage.path("log"));
    command.env("RABBITMQ_LOGS", "-").env("RABBITMQ_CONFIG_FILE", stage.path("rabbitmq"));
    command.env("RABBITMQ_ENABLED_PLUGINS_FILE", stage.path("plugins"));
    command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null").env("ERL_EPMD_ADDRESS", "127.0.0.1");
    Owned::spawn(&mut command)
}

/// One Kafka process that is broker and controller.
///
/// # Errors
/// When it cannot be started.
pub fn kafka(stage: &Stage) -> Result<Owned> {
    let text = fs::read_to_string(format!("{SOURCES}/kafka/server.properties"))?;
    fs::write(stage.path("server.properties"), text.replace("FOLDER", &stage.path("")))?;
    let logging = format!("-Dlog4j2.configurationFile=file:{SOURCES}/kafka/log4j2.properties");
    let java = || -> Result<Command> {
        let mut command = stage.command("java")?;
        command.env("CLASSPATH", format!("{}/*", fetched("kafka").display())).args(JAVA).arg(&logging);
        Ok(command)
    };
    let format = ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", "server.properties"];
    prepare(java()?.args(format))?;
    Owned::spawn(java()?.args(["kafka.Kafka", "server.properties"]))
}

/// One Cassandra node.
///
/// # Errors
/// When it cannot be started.
pub fn cassandra(stage: &Stage) -> Result<Owned> {
    let text = fs::read_to_string(format!("{SOURCES}/cassandra/cassandra.yaml"))?;
    fs::write(stage.path("cassandra.yaml"), text.replace("FOLDER", &stage.path("")))?;
    let mut command = stage.command("java")?;
    command.env("CLASSPATH", format!("{}/*", fetched("cassandra").display()));
    command.arg(format!("@{SOURCES}/cassandra/jvm.options")).args(JAVA);
    command.args(["-XX:MaxDirectMemorySize=128m", "-Djdk.attach.allowAttachSelf=true", "-Djna.nosys=true"]);
    command.arg(format!("-Dcassandra.config=file://{}", stage.path("cassandra.yaml")));
    command.arg(format!("-Dcassandra.storagedir={}", stage.path("data")));
    command.arg(format!("-Dcassandra.logdir={}", stage.path("log")));
    command.arg(format!("-Dlogback.configurationFile={SOURCES}/cassandra/logback.xml"));
    command.args(["-Dcassandra.jmx.local.port=7199", "-Djava.rmi.server.hostname=127.0.0.1"]);
    command.args(["-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=100"]);
    command.args(["-Dcassandra.shutdown_announce_in_ms=0", "-Dcassandra.initial_token=0"]);
    Owned::spawn(command.args(["-Dcassandra-foreground=yes", "org.apache.cassandra.service.CassandraDaemon"]))
}

/// FerretDB, which speaks MongoDB's protocol.
///
/// # Errors
/// When it cannot be started.
pub fn ferret(stage: &Stage) -> Result<Owned> {
    fs::create_dir(stage.path("ferret"))?;
    let mut command = stage.command(&fetched("ferret").to_string_lossy())?;
    Owned::spawn(command.args(["127.0.0.1:27017", &stage.path("ferret")]))
}

/// PostgreSQL as the user that its package made, since it refuses root.
///
/// # Errors
/// When it cannot be started.
pub fn postgres(stage: &Stage) -> Result<Owned> {
    let bin = newest("/usr/lib/postgresql")?.join("bin");
    let data = stage.path("postgres");
    fs::create_dir(&data)?;
    prepare(Command::new("chmod").arg("755").arg(stage.folder.path()))?;
    prepare(Command::new("chown").args(["postgres:postgres", &data]))?;
    let as_postgres = || -> Result<Command> {
        let mut command = stage.command("setpriv")?;
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        Ok(command)
    };
    let initdb = bin.join("initdb");
    prepare(as_postgres()?.arg(initdb).args(["-D", &data, "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"]))?;
    let flags = ["-D", &data, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"];
    Owned::spawn(as_postgres()?.arg(bin.join("postgres")).args(flags))
}

/// MariaDB with a user `oracle`.
///
/// # Errors
/// When it cannot be started.
pub fn mariadb(stage: &Stage) -> Result<Owned> {
    let data = format!("--datadir={}", stage.path("mariadb"));
    prepare(stage.command("mariadb-install-db")?.args([
        &data,
        "--user=root",
        "--auth-root-authentication-method=normal",
    ]))?;
    let user = "CREATE USER oracle@'127.0.0.1' IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO oracle@'127.0.0.1';\n";
    fs::write(stage.path("user.sql"), user)?;
    let mut command = stage.command("mariadbd")?;
    command.args(["--no-defaults", &data, "--user=root", "--bind-address=127.0.0.1", "--port=3306"]);
    command
        .arg(format!("--socket={}", stage.path("mariadb.sock")))
        .arg(format!("--init-file={}", stage.path("user.sql")));
    Owned::spawn(command.args(["--skip-name-resolve", "--innodb-buffer-pool-size=32M"]))
}

/// Redis without persistence.
///
/// # Errors
/// When it cannot be started.
pub fn redis(stage: &Stage) -> Result<Owned> {
    Owned::spawn(stage.command("redis-server")?.args(["--port", "6379", "--bind", "127.0.0.1", "--save", ""]))
}

/// Unbound with a zone of its own and no way out.
///
/// # Errors
/// When it cannot be started.
pub fn unbound(stage: &Stage) -> Result<Owned> {
    let mut settings = fs::read_to_string(format!("{SOURCES}/unbound.conf"))?;
    for number in 0..100 {
        settings += &format!("  local-data: \"host{number}.oracle.test. 300 IN A 192.0.2.{number}\"\n");
    }
    for number in 0..60 {
        let text = format!("a text that is long enough to fill datagrams {number}");
        settings += &format!("  local-data: 'large.oracle.test. 300 IN TXT \"{text}\"'\n");
    }
    fs::write(stage.path("unbound.conf"), settings)?;
    Owned::spawn(stage.command("unbound")?.args(["-d", "-c", &stage.path("unbound.conf")]))
}

/// BIND, which takes many queries with one call.
///
/// # Errors
/// When it cannot be started.
pub fn bind(stage: &Stage) -> Result<Owned> {
    let mut zone = fs::read_to_string(format!("{SOURCES}/bind.zone"))?;
    for number in 0..100 {
        zone += &format!("host{number} A 192.0.2.{number}\n");
    }
    for number in 0..60 {
        zone += &format!("large TXT \"a text that is long enough to fill datagrams {number}\"\n");
    }
    fs::write(stage.path("oracle.zone"), zone)?;
    let folder = stage.path("");
    let settings = fs::read_to_string(format!("{SOURCES}/bind.conf"))?.replace("FOLDER", &folder);
    fs::write(stage.path("bind.conf"), settings)?;
    Owned::spawn(stage.command("named")?.args(["-g", "-n", "1", "-c", &stage.path("bind.conf")]))
}

/// A gRPC server of Python's library.
///
/// # Errors
/// When it cannot be started.
pub fn grpc(stage: &Stage) -> Result<Owned> {
    let mut command = stage.command(&stage::python().to_string_lossy())?;
    Owned::spawn(command.args(["-I", &format!("{SOURCES}/grpc_server.py"), "50051"]))
}

/// OpenSSL's own server, with a certificate of its own making.
///
/// # Errors
/// When it cannot be started.
pub fn openssl(stage: &Stage) -> Result<Owned> {
    let key = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "certificate.pem"];
    prepare(stage.command("openssl")?.args(key).args(["-subj", "/CN=oracle.test"]))?;
    let flags = ["s_server", "-accept", "443", "-key", "key.pem", "-cert", "certificate.pem", "-www", "-quiet"];
    Owned::spawn(stage.command("openssl")?.args(flags).args(["-alpn", "http/1.1,h2"]))
}

fn newest(folder: &str) -> Result<PathBuf> {
    let versions = fs::read_dir(folder).with_context(|| format!("{folder}: is the server installed?"))?;
    versions.filter_map(|entry| Some(entry.ok()?.path())).max().with_context(|| format!("{folder} is empty"))
}
