//! A capture read by tshark: its protocol layers in order, and the bytes of its streams.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::processes;

/// A finished capture of one server's traffic.
#[derive(Debug)]
pub struct Capture {
    file: PathBuf,
    port: u16,
}

/// Something that one side said.
#[derive(Debug, Clone)]
pub struct Part<T> {
    /// The client's port.
    pub connection: u16,
    /// Whether the client said it.
    pub from_client: bool,
    /// What.
    pub what: T,
}

impl Capture {
    /// Of a file, and the server's port.
    #[must_use]
    pub fn new(file: &Path, port: u16) -> Self {
        Capture { file: file.to_owned(), port }
    }

    fn tshark(&self, flags: &[&str]) -> Result<String> {
        let mut command = Command::new("tshark");
        command.arg("-n").arg("-r").arg(&self.file).args(flags);
        processes::output(command.stderr(std::process::Stdio::piped()))
    }

    fn part<T>(&self, source: &str, destination: &str, what: T) -> Result<Part<T>> {
        let (source, destination): (u16, u16) = (source.parse()?, destination.parse()?);
        let from_client = destination == self.port;
        let connection = if from_client { source } else { destination };
        Ok(Part { connection, from_client, what })
    }

    /// All layers of a protocol, as tshark's JSON has them; several in one packet are several parts.
    ///
    /// # Errors
    /// When tshark fails.
    pub fn layers(&self, layer: &str) -> Result<Vec<Part<Value>>> {
        let decode = ["tcp", "udp"].map(|transport| format!("{transport}.port=={},{layer}", self.port));
        let wanted = "tcp.len > 0 || udp";
        let mut flags = vec!["-T", "json", "--no-duplicate-keys", "-Y", wanted, "-d", &decode[0]];
        if layer == "dns" {
            flags.extend(["-d", &decode[1]]);
        }
        let json = self.tshark(&flags)?;
        let packets: Vec<Value> = serde_json::from_str(&json).context("tshark's JSON")?;
        let mut found = Vec::new();
        for packet in &packets {
            let layers = &packet["_source"]["layers"];
            let (transport, name) = if layers["tcp"].is_null() { ("udp", "udp") } else { ("tcp", "tcp") };
            let port = |end: &str| layers[transport][format!("{name}.{end}")].as_str().context("a port");
            for what in list(&layers[layer]) {
                found.push(self.part(port("srcport")?, port("dstport")?, what.clone())?);
            }
        }
        Ok(found)
    }

    /// Connections that their client reset.
    ///
    /// # Errors
    /// When tshark fails.
    pub fn resets(&self) -> Result<BTreeSet<u16>> {
        let filter = format!("tcp.flags.reset == 1 && tcp.dstport == {}", self.port);
        let text = self.tshark(&["-T", "fields", "-Y", &filter, "-e", "tcp.srcport"])?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// The payload of every packet, in order and without what was sent again.
    ///
    /// # Errors
    /// When tshark fails.
    pub fn payloads(&self) -> Result<Vec<Part<Vec<u8>>>> {
        let fields = ["-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "tcp.payload"];
        let filter = "tcp.len > 0 && !tcp.analysis.retransmission";
        let text = self.tshark(&[&["-T", "fields", "-Y", filter], &fields[..]].concat())?;
        let mut found = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            let [source, destination, digits] = words[..] else { continue };
            found.push(self.part(source, destination, bytes(digits)?)?);
        }
        Ok(found)
    }

    /// The bytes of each connection: the client's, the server's.
    ///
    /// # Errors
    /// When tshark fails.
    pub fn streams(&self) -> Result<BTreeMap<u16, [Vec<u8>; 2]>> {
        let mut found = BTreeMap::<u16, [Vec<u8>; 2]>::new();
        for part in self.payloads()? {
            found.entry(part.connection).or_default()[usize::from(!part.from_client)].extend(part.what);
        }
        Ok(found)
    }

    /// Writes the conversations as the parsers' fixtures have them: connection, side, bytes in hexadecimal digits.
    ///
    /// # Errors
    /// When tshark or the file fails.
    pub fn save(&self, file: &Path) -> Result<()> {
        let mut numbers = BTreeMap::new();
        let mut text = String::new();
        for part in self.payloads()? {
            let next = numbers.len();
            let number = numbers.entry(part.connection).or_insert(next);
            let digits: String = part.what.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("{number} {} {digits}\n", if part.from_client { 'C' } else { 'S' });
        }
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }
}

/// A value that tshark writes alone when there is one of it, else as a list.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = if value.is_array() || value.is_null() { None } else { Some(value) };
    many.iter().chain(one)
}

/// Bytes of hexadecimal digits, with or without colons.
///
/// # Errors
/// When they are none.
pub fn bytes(digits: &str) -> Result<Vec<u8>> {
    let digits: String = digits.chars().filter(|digit| *digit != ':').collect();
    let pairs =
        digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).map(|pair| u8::from_str_radix(pair, 16)));
    Ok(pairs.collect::<Result<Result<Vec<u8>, _>, _>>()??)
}
