//! Child processes that end with their owner.

use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A child that is ended, gently and then by force, when it is dropped.
#[derive(Debug)]
pub struct Owned(pub Child);

impl Owned {
    /// Starts a command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        Ok(Owned(child))
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends SIGTERM and waits up to half a minute, then kills. Returns the exit code, `None` when it had to be killed.
    pub fn stop(&mut self) -> Option<i32> {
        if let Ok(Some(status)) = self.0.try_wait() {
            return status.code();
        }
        signal(self.pid(), "TERM");
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.0.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
        None
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends a signal by name to a process that this test started.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
}

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// When it cannot be started or fails; the error holds its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let result = command.output().with_context(|| format!("running {command:?}"))?;
    if !result.status.success() {
        bail!("{command:?} ended with {}: {}", result.status, String::from_utf8_lossy(&result.stderr));
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// Waits until something listens on a loopback port.
///
/// # Errors
/// When nothing does after 20 seconds.
pub fn wait_for_port(port: u16) -> Result<()> {
    wait_until("a listening port", || TcpStream::connect(("127.0.0.1", port)).is_ok())
}

/// Waits until a condition holds, at most 20 seconds.
///
/// # Errors
/// When it does not hold by then.
pub fn wait_until(what: &str, holds: impl FnMut() -> bool) -> Result<()> {
    wait_at_most(20, what, holds)
}

/// Waits until a condition holds.
///
/// # Errors
/// When it does not hold after so many seconds.
pub fn wait_at_most(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        if Instant::now() > deadline {
            bail!("waited {seconds} s for {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
