//! Real HTTP servers on free loopback ports, each with an access log that the tests compare with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::machine;
use crate::processes::{self, Owned};

/// One line of an access log, in the form that all servers here write: `method path status body_bytes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Logged {
    /// Request method.
    pub method: String,
    /// Request target as sent.
    pub path: String,
    /// Response status.
    pub status: i64,
    /// Bytes of the response body, as far as the server logs them.
    pub body_bytes: i64,
}

/// A server that was started by a test.
#[derive(Debug)]
pub struct Server {
    /// The process, ended when this is dropped.
    pub process: Owned,
    /// Its loopback port.
    pub port: u16,
    folder: TempDir,
}

impl Server {
    /// The server's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A URL on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Fields of every line of its access log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log_fields(&self) -> Result<Vec<Vec<String>>> {
        let text = fs::read_to_string(self.folder().join("access.log")).context("reading the access log")?;
        Ok(text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect())
    }

    /// The access log's first four fields.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<Vec<Logged>> {
        Ok(self
            .log_fields()?
            .into_iter()
            .filter_map(|fields| {
                let [method, path, status, bytes] = fields.get(..4)?.to_vec().try_into().ok()?;
                Some(Logged { method, path, status: status.parse().ok()?, body_bytes: bytes.parse().ok()? })
            })
            .collect())
    }
}

const NGINX: &str = r#"
USER daemon off; worker_processes 2; pid DIR/nginx.pid; error_log DIR/error.log warn;
events { worker_connections 2048; }
http {
    log_format counted '$request_method $request_uri $status $body_bytes_sent $request_length $bytes_sent $connection';
    access_log DIR/access.log counted; keepalive_requests 1000000; sendfile SENDFILE; default_type text/plain;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi; gzip on; gzip_min_length 256; gzip_types text/plain;
    server {
        listen 127.0.0.1:PORT backlog=2048; root DIR/www;
        location = /status { stub_status; access_log off; }
        location = /empty { return 204; }
        location = /moved { return 301 /1k.txt; }
        location = /error { return 500 "broken\n"; }
        location = /item { return 200 "an item\n"; }
        location = /taken { return 200 "taken\n"; }
        location = /large { alias DIR/www/100k.txt; }
        location = /echo.Echo/Say { return 200 "an answer\n"; }
        location /upload { client_max_body_size 8m; return 200 "taken\n"; }
    }
}
"#;

/// nginx serving `/1k.txt`, `/100k.txt`, `/empty`, `/moved` and `/error`. Log: [`Logged`] and then request length,
/// bytes sent and the connection's number.
///
/// # Errors
/// When it does not start.
pub fn nginx(sendfile: bool) -> Result<Server> {
    nginx_of(www()?, NGINX, sendfile)
}

/// The same by HTTPS, with HTTP/1.1 and HTTP/2; also `/item`, `/taken`, `/large` and `/echo.Echo/Say`, as `go_tls.go` asks.
///
/// # Errors
/// When it does not start.
pub fn nginx_tls() -> Result<Server> {
    let folder = www()?;
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.path().join(name));
    processes::output(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout"])
            .arg(key)
            .arg("-out")
            .arg(certificate),
    )?;
    let secured =
        "listen 127.0.0.1:PORT ssl http2; ssl_certificate DIR/certificate.pem; ssl_certificate_key DIR/key.pem;";
    // Who answers without the body tells a client of HTTP/2 not to send it: whoever takes one reads it.
    let inner =
        "server { listen unix:DIR/inner.sock; access_log off; location / { return 200 \"taken\\n\"; } } server {";
    let template = NGINX
        .replace("listen 127.0.0.1:PORT backlog=2048;", secured)
        .replace(
            "location = /taken { return 200 \"taken\\n\"; }",
            "location = /taken { proxy_pass http://unix:DIR/inner.sock; }",
        )
        .replace("server {", inner);
    nginx_of(folder, &template, false)
}

fn nginx_of(folder: TempDir, template: &str, sendfile: bool) -> Result<Server> {
    let port = machine::free_port();
    let configuration = template
        .replace("USER", if machine::is_root() { "user root;" } else { "" })
        .replace("DIR", &folder.path().to_string_lossy())
        .replace("PORT", &port.to_string())
        .replace("SENDFILE", if sendfile { "on" } else { "off" });
    fs::write(folder.path().join("nginx.conf"), configuration)?;
    let binary = machine::find("nginx").context("nginx")?;
    let mut command = Command::new(binary);
    command.arg("-c").arg(folder.path().join("nginx.conf")).arg("-e").arg(folder.path().join("error.log"));
    started(command, port, folder)
}

/// Connections that an nginx of [`nginx`] has accepted, this look-up's own among them.
///
/// # Errors
/// When it does not answer.
pub fn accepted(nginx: &Server) -> Result<i64> {
    let text = processes::output(Command::new("curl").args(["-s", "-S", &nginx.url("/status")]))?;
    let numbers = text.lines().nth(2).and_then(|line| line.split_whitespace().next()).context("stub_status")?;
    numbers.parse().context("stub_status")
}

const APACHE: &str = r#"
ServerName localhost
ServerRoot DIR
PidFile DIR/apache.pid
Mutex file:DIR
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
Listen 127.0.0.1:PORT
DocumentRoot DIR/www
ErrorLog DIR/error.log
LogFormat "%m %U %>s %B" counted
CustomLog DIR/access.log counted
"#;

/// Apache with its event MPM.
///
/// # Errors
/// When it does not start.
pub fn apache() -> Result<Server> {
    let folder = www()?;
    let port = machine::free_port();
    let configuration = APACHE
        .replace("DIR", &folder.path().to_string_lossy())
        .replace("MODULES", "/usr/lib/apache2/modules")
        .replace("PORT", &port.to_string());
    fs::write(folder.path().join("apache.conf"), configuration)?;
    let mut command = Command::new(machine::find("apache2").context("apache2")?);
    command.arg("-DFOREGROUND").arg("-f").arg(folder.path().join("apache.conf"));
    started(command, port, folder)
}

/// A server written in another language: the program gets a port and the path of its access log as arguments.
///
/// # Errors
/// When it does not start.
pub fn program(interpreter: &[PathBuf], file_name: &str, text: &str) -> Result<Server> {
    let folder = www()?;
    let port = machine::free_port();
    let program = folder.path().join(file_name);
    fs::write(&program, text)?;
    let mut command = Command::new(&interpreter[0]);
    command.args(&interpreter[1..]).arg(&program).arg(port.to_string()).arg(folder.path().join("access.log"));
    started(command, port, folder)
}

/// A built program with the same two arguments.
///
/// # Errors
/// When it does not start.
pub fn executable(program: &Path) -> Result<Server> {
    executable_with(program, &[])
}

/// A built program with some arguments before these two.
///
/// # Errors
/// When it does not start.
pub fn executable_with(program: &Path, arguments: &[&str]) -> Result<Server> {
    let folder = www()?;
    let port = machine::free_port();
    let mut command = Command::new(program);
    command.args(arguments).arg(port.to_string()).arg(folder.path().join("access.log"));
    started(command, port, folder)
}

fn started(mut command: Command, port: u16, folder: TempDir) -> Result<Server> {
    let process = Owned::spawn(command.stdout(Stdio::null()))?;
    processes::wait_for_port(port)?;
    Ok(Server { process, port, folder })
}

fn www() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let www = folder.path().join("www");
    fs::create_dir(&www)?;
    fs::write(www.join("1k.txt"), "x".repeat(1024))?;
    fs::write(www.join("100k.txt"), "0123456789abcdef".repeat(6400))?;
    Ok(folder)
}
