//! mongrel2 as a child of the demo: started, waited for, interrupted.
//!
//! It has a process group of its own, so that Ctrl-C reaches it once, through m2sh.  Its error log stays in
//! its file; what it says on stderr is kept for the case that it can't start.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use mongrel2::config::Server;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::address::reachable;
use crate::commands::start::not_run;
use crate::error::Error;
use crate::process::Process;

/// How often the port of a server that starts is tried: nothing tells when it is there.
const TICK: Duration = Duration::from_millis(10);

/// For an answer to the first request; a server that accepts and takes longer is there all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many lines of its stderr are kept.
const KEPT: usize = 50;

/// The running server.
#[derive(Debug)]
pub(super) struct Child {
    child: tokio::process::Child,
    process: Option<Process>,
    stderr: JoinHandle<VecDeque<String>>,
    address: SocketAddr,
}

/// What became of a start.
#[derive(Debug)]
pub(super) enum Readiness {
    /// It answers.
    Ready,
    /// It has ended, for reasons of its own or because somebody else has the port.
    Failed {
        /// What it says.
        error: Error,
        /// Whether somebody else has the port.
        is_taken: bool,
    },
}

impl Child {
    /// Starts it; must be called within a tokio runtime.
    ///
    /// # Errors
    /// The program can't be run.
    pub(super) fn start(mut command: Command, server: &Server) -> Result<Self, Error> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().map_err(|error| not_run(command.as_std(), &error))?;
        let process = child.id().and_then(|pid| Process::open(pid).ok().flatten());
        let stderr = tokio::spawn(keep(child.stderr.take().expect("it was asked for")));
        Ok(Self { child, process, stderr, address: reachable(server.address()) })
    }

    /// Waits until it answers, or has ended.
    ///
    /// While somebody else has the port, an answer means nothing; then the server will end.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn readiness(&mut self) -> Result<Readiness, Error> {
        let mut taken = accepts(self.address).await;
        loop {
            if let Ok(end) = timeout(TICK, self.child.wait()).await {
                end.map_err(|error| Error::cannot("wait for the server", error))?;
                return Ok(Readiness::Failed { error: self.failure().await, is_taken: taken });
            }
            match taken {
                true => taken = accepts(self.address).await,
                false if answers(self.address).await => return Ok(Readiness::Ready),
                false => {}
            }
        }
    }

    /// The server's own words, its hint among them.
    async fn failure(&mut self) -> Error {
        let lines = (&mut self.stderr).await.unwrap_or_default();
        let own = lines.iter().position(|line| line.starts_with("mongrel2: ")).unwrap_or(0);
        let text: Vec<&str> = lines.range(own..).map(String::as_str).collect();
        Error::listed(text.join("\n"))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn end(&mut self) -> Result<ExitStatus, Error> {
        self.child.wait().await.map_err(|error| Error::cannot("wait for the server", error))
    }

    /// Sends SIGINT: it stops when its answers in progress are done, or at once if it is the second.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn interrupt(&self) -> Result<(), Error> {
        let sent = self.process.as_ref().map_or(Ok(()), |process| process.signal(Signal::INT));
        sent.map_err(|error| Error::cannot("stop the server", error))
    }
}

/// Reads to the end, so that the server never waits for it, and keeps the last lines.
async fn keep(stderr: ChildStderr) -> VecDeque<String> {
    let mut kept = VecDeque::new();
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    kept
}

async fn accepts(address: SocketAddr) -> bool {
    // Where so many wait that no more can, somebody listens too.
    timeout(PATIENCE, TcpStream::connect(address)).await.map_or(true, |connected| connected.is_ok())
}

/// Whether the server is there to stay: before it listens, it tries for a moment whether it could.
async fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let request = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = async { stream.write_all(request).await.is_ok() && stream.read_u8().await.is_ok() };
    timeout(PATIENCE, answer).await.unwrap_or(true)
}
