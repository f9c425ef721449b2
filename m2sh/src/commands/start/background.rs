//! Servers that go on by themselves: each is started, all at the same time, and looked at before it counts as started.
//!
//! The process that is run returns when the server serves, or has said why it can't.  Then the lock on the PID file
//! has to be the server's, and its control port, or else its port, has to answer.

use std::io::Read as _;
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use mongrel2::config::Server;
use rustix::process::Signal;

use crate::address::reachable;
use crate::error::{Error, say};
use crate::found::{Found, each, title};
use crate::port::{Port, number};
use crate::process::Process;
use crate::progress::during;
use crate::report::Report;
use crate::show::escape;
use crate::tail::{indented, last_lines};

use super::launch::{Launch, not_run};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long one may take to accept a connection, or to end.
const SOON: Duration = Duration::from_secs(5);

/// How much of what a server says is kept.
const KEPT: u64 = 1 << 20;

/// A server that serves.
struct Serving {
    found: Found,
    /// Which generation, if it could be asked.
    generation: Option<i64>,
    /// What it has said.
    words: String,
}

/// Starts servers, and reports what has become of each.
pub(super) fn start(servers: &[Server], launch: &Launch, control_port: &str, report: &mut Report) {
    let start = |server: &Server| start_one(server, launch, control_port);
    // A password is asked for once, and not by several at the same time.
    let (first, others) = servers.split_at(usize::from(launch.elevation.is_some()).min(servers.len()));
    let mut outcomes = each(first, start);
    outcomes.extend(match launch.elevation {
        None => during("start", || each(others, start)),
        // It may ask for a password all the same.
        Some(_) => each(others, start),
    });
    for outcome in outcomes {
        match outcome {
            Ok(serving) => {
                serving.words.lines().for_each(|line| say(&escape(line)));
                report.started(&serving.found, serving.generation);
            }
            Err(error) => report.failed(&error),
        }
    }
}

fn start_one(server: &Server, launch: &Launch, control_port: &str) -> Result<Serving, Error> {
    let mut command = launch.command(server);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    // A password may be asked for.
    let is_elevated = launch.elevation.is_some();
    command.stdin(if is_elevated { Stdio::inherit() } else { Stdio::null() });
    let child = command.spawn().map_err(|error| not_run(&command, &error))?;
    let (status, words) = verdict(child, (!is_elevated).then_some(server), &command)?;
    if !status.success() {
        return Err(refused(server, status, &words));
    }
    let found = Found::look(server.clone());
    let generation = answers(&found, control_port)?;
    Ok(Serving { found, generation, words })
}

/// Waits until the process that starts the server has ended, but not for ever if a server is given, which nobody has to
/// type a password for; gives what was said.
fn verdict(mut child: Child, limited: Option<&Server>, command: &Command) -> Result<(ExitStatus, String), Error> {
    let mut stderr = child.stderr.take().expect("it was asked for").take(KEPT);
    let words = thread::spawn(move || {
        let mut words = Vec::new();
        // What was read before an error counts.
        let _ = stderr.read_to_end(&mut words);
        String::from_utf8_lossy(&words).into_owned()
    });
    if let (Some(server), Ok(Some(process))) = (limited, Process::open(child.id()))
        && !process.wait(PATIENCE).unwrap_or(true)
    {
        give_up(server, &mut child);
        let cause = format!("it does not serve after {} s{}", PATIENCE.as_secs(), end_of_log(server));
        return Err(Error::cannot(format!("start server {}", title(server)), cause));
    }
    let status = child.wait().map_err(|error| not_run(command, &error))?;
    Ok((status, words.join().unwrap_or_default()))
}

/// Ends a start that takes too long: the process that waits, with which the server goes; and the server, if it has
/// become another user's.
fn give_up(server: &Server, child: &mut Child) {
    // What has ended meanwhile needs no signal.
    let _ = child.kill();
    let _ = child.wait();
    if let Some(process) = Found::look(server.clone()).process() {
        let _ = process.signal(Signal::KILL);
    }
}

/// The server's own words, its hints among them; or all that is known if it has not said why.
fn refused(server: &Server, status: ExitStatus, words: &str) -> Error {
    let doing = format!("start server {}", title(server));
    let Some((_, own)) = words.split_once("mongrel2: cannot start: ") else {
        let said: Vec<&str> = words.lines().collect();
        let said = if said.is_empty() { String::new() } else { format!("\n{}", indented(&said)) };
        return Error::cannot(doing, format!("{status}{said}{}", end_of_log(server)));
    };
    let (hints, cause): (Vec<_>, Vec<_>) = own.lines().map(escape).partition(|line| line.starts_with("hint: "));
    let error = Error::cannot(doing, cause.join("\n"));
    hints.iter().map(|hint| &hint["hint: ".len()..]).fold(error, Error::hint)
}

/// Makes sure that it is there; gives the generation that it serves, if it can be asked.
fn answers(found: &Found, control_port: &str) -> Result<Option<i64>, Error> {
    let doing = || format!("start server {}", found.title());
    let Some(process) = found.process() else {
        let ended = || Error::cannot(doing(), format!("it has ended again{}", end_of_log(&found.server)));
        return Err(found.trouble().unwrap_or_else(ended));
    };
    let error = match Port::open(&found.server, control_port, process) {
        Ok(port) => return Ok(number(&port.info, "generation")),
        // The control port of another user's is not for us.
        Err(_) if accepts(&found.server) => return Ok(None),
        Err(error) => error,
    };
    // Half a start is none.
    let _ = process.signal(Signal::INT).and_then(|()| process.wait(SOON));
    Err(Error::cannot(doing(), format!("it does not answer: {error}{}", end_of_log(&found.server))))
}

fn accepts(server: &Server) -> bool {
    TcpStream::connect_timeout(&reachable(server.address()), SOON).is_ok()
}

fn end_of_log(server: &Server) -> String {
    let path = server.under_chroot(&server.error_log);
    format!("\nthe end of `{}`:\n{}", escape(&path.display().to_string()), last_lines(&path))
}
