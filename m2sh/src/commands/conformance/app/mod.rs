//! A host of applications: each of ours with the sample, another program that serves it, or one that runs already.
//!
//! * [`program`]: a host as a program.  [`sample`]: the sample, served by this program.

mod program;
mod sample;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use conformance::app::{Host, Life as _, Place, Site, UUID, cases, hello};
use conformance::check::Problem;
use tempfile::TempDir;

use super::child::Child;
use super::interrupt::Interrupt;
use super::runner::Runner;
use super::{folder, program_at};
use crate::args::{Before, Conformance, Tried};
use crate::error::Error;
use crate::profile::this_program;
use program::Program;
pub(super) use sample::serve;

/// How long a host that stops waits for what never ends, in cases that aren't about stopping.
const GRACE: Duration = Duration::from_secs(1);

/// A host that is tried, before what it needs: so they end.
struct Subject {
    host: Host,
    _server: Option<Child>,
    _folder: Option<TempDir>,
}

/// That no option is given that is about applications only, unless it is one that is tried.
///
/// # Errors
/// There is one.
pub(super) fn only_there(args: &Conformance) -> Result<(), Error> {
    let Conformance { url, before, serve, program, .. } = args;
    let app = args.tried == Tried::App;
    let given = [("-url", url.is_some()), ("-before", before.is_some()), ("-serve", !serve.is_empty())];
    if let Some((name, _)) = given.into_iter().find(|(_, is_given)| *is_given && !app) {
        return Err(Error::usage(format!("use `{name}`"), "it is about hosts of applications")
            .hint(format!("`m2sh conformance app {name} …`")));
    }
    if args.folder.is_some() && app {
        return Err(Error::usage("use `-folder`", "it is about servers").hint("`m2sh conformance server -folder …`"));
    }
    if before.is_some() && url.is_none() && program.is_none() {
        return Err(Error::usage("use `-before`", "it is about the host of `-url` or `-program`"));
    }
    Ok(())
}

pub(super) fn run(args: &Conformance, runner: &mut Runner<'_>) -> Result<(), Error> {
    let place = match args.before {
        Some(Before::Streams) => Place::Streams,
        Some(Before::Files) => Place::Files,
        Some(Before::Nothing) | None => Place::Alone,
    };
    let start = |place| Start { args, place, interrupt: runner.interrupt() };
    match (&args.url, &args.program) {
        (Some(url), _) => suite("app", place, runner, || running(url, place, args)),
        (None, Some(program)) => {
            let start = start(place);
            suite("app", place, runner, || start.another(program))
        }
        (None, None) => Place::ALL.into_iter().map(start).collect::<Vec<_>>().iter().try_for_each(|start| {
            let place = start.place;
            suite(place.name(), place, runner, || if place == Place::Alone { start.alone() } else { start.behind() })
        }),
    }
}

fn suite(
    name: &str,
    place: Place,
    runner: &mut Runner<'_>,
    subject: impl Fn() -> Result<Subject, Error>,
) -> Result<(), Error> {
    let cases = cases(place).into_iter().map(|case| case.on(|subject: &Subject| &subject.host)).collect();
    runner.suite(name, cases, |old| {
        // It may have the port that the new one needs.
        drop(old);
        subject()
    })
}

/// One that somebody else has started.
fn running(url: &str, place: Place, args: &Conformance) -> Result<Subject, Error> {
    let address = address(url)?;
    let host = Host { address, patience: args.patience(), place, life: None };
    hello(address, args.patience()).map_err(|problem| {
        Error::cannot(format!("try `{url}`"), format!("it doesn't serve the sample: {}", told(problem)))
            .hint("`m2sh help conformance` tells how the sample is served; the manual, what it does")
    })?;
    Ok(Subject { host, _server: None, _folder: None })
}

/// How a host is started.
struct Start<'a> {
    args: &'a Conformance,
    place: Place,
    interrupt: Interrupt,
}

impl Start<'_> {
    /// Another program.
    fn another(&self, program: &Path) -> Result<Subject, Error> {
        let (folder, address) = (folder()?, free_address()?);
        let path = program_at(program);
        let command = move |_| {
            let mut command = Command::new(&path);
            command.arg(address.to_string());
            command
        };
        self.start(command, address, None, folder)
    }

    /// Ours without a server.
    fn alone(&self) -> Result<Subject, Error> {
        let (folder, address) = (folder()?, free_address()?);
        self.start(own(&[address.to_string()])?, address, None, folder)
    }

    /// Ours behind a server.
    fn behind(&self) -> Result<Subject, Error> {
        let folder = folder()?;
        let site = Site::make(folder.path(), self.place);
        let site = site.map_err(|error| Error::cannot("make a configuration", error))?;
        let mut command = Command::new(this_program()?);
        command.arg0("mongrel2").arg("config.sqlite").arg(UUID).current_dir(folder.path());
        let server = Child::start(&mut command, &folder.path().join("logs/output.log"), &self.interrupt)?;
        let host = own(&[site.send_spec, site.recv_spec])?;
        self.start(host, site.address, Some(server), folder)
    }

    /// A host, with what it needs.
    fn start(
        &self,
        command: impl Fn(Duration) -> Command + Send + Sync + 'static,
        address: SocketAddr,
        server: Option<Child>,
        folder: TempDir,
    ) -> Result<Subject, Error> {
        let patience = self.args.patience();
        let program = Program::new(command, folder.path(), address, patience, self.interrupt.clone());
        program.restart(GRACE).map_err(|problem| Error::cannot("start the host", told(problem)))?;
        let host = Host { address, patience, place: self.place, life: Some(Box::new(program)) };
        Ok(Subject { host, _server: server, _folder: Some(folder) })
    }
}

/// This program as a host that serves the sample.
fn own(addresses: &[String]) -> Result<impl Fn(Duration) -> Command + Send + Sync + 'static, Error> {
    let (this, addresses) = (this_program()?, addresses.to_vec());
    Ok(move |grace: Duration| {
        let mut command = Command::new(&this);
        command.args(["conformance", "app", "--grace"]).arg(grace.as_secs().to_string());
        command.arg("--serve").args(&addresses);
        command
    })
}

fn free_address() -> Result<SocketAddr, Error> {
    conformance::port::free_address().map_err(|error| Error::cannot("find a free port", error))
}

/// The address in a URL that has nothing else.
fn address(url: &str) -> Result<SocketAddr, Error> {
    let cannot = |cause: String| Error::usage(format!("use the URL `{url}`"), cause);
    let authority = url.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let authority = authority.filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '@', '#']));
    let authority = authority.ok_or_else(|| cannot("it isn't `http://HOST:PORT`".into()))?;
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let mut found = authority.to_socket_addrs().map_err(|error| cannot(error.to_string()))?;
    found.next().ok_or_else(|| cannot("it has no address".into()))
}

fn told(problem: Problem) -> String {
    let (Problem::Wrong(told) | Problem::Missing(told)) = problem;
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://127.0.0.1:8080/", Some("127.0.0.1:8080")),
            ("http://127.0.0.1", Some("127.0.0.1:80")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("http://[::1]", Some("[::1]:80")),
            ("https://127.0.0.1", None),
            ("127.0.0.1:8080", None),
            ("http://", None),
            ("http://127.0.0.1:8080/a", None),
            ("http://a@127.0.0.1", None),
            ("http://127.0.0.1:99999", None),
        ] {
            assert_eq!(address(url).ok().map(|address| address.to_string()).as_deref(), expected, "{url}");
        }
    }
}
