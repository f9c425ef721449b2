//! `m2sh load -reload`: the servers that run take what has been loaded, or all of them stay with what was there.
//!
//! Before anything is changed it is made sure that each of them can be asked.  They are asked one after the other; the
//! first that refuses ends it: the configuration that was there is put back, and those that were asked are asked again.

use mongrel2::config::settings::Settings;
use mongrel2::config::store::StoreError;
use mongrel2::config::{Config, Server};

use crate::error::{Error, say};
use crate::found::Found;
use crate::port::{Port, PortError};
use crate::progress::during;
use crate::report::Report;
use crate::session::Session;

use super::super::reload::ask;
use super::Source;

/// The servers of a configuration that is about to be loaded, and what there is now.
pub(super) struct Servers {
    old: Config,
    control_port: String,
    found: Vec<Found>,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) report: Report,
    /// Whether the configuration that was there is the one in force again.
    pub(super) is_put_back: bool,
}

impl Servers {
    /// Looks for them, and makes sure that those that run can be asked.
    pub(super) fn find(source: &Source, session: &Session) -> Result<Self, Error> {
        let old = session.base()?;
        let control_port = Settings::new(&old.settings).control_port;
        let found = Found::all(source.config.servers.iter().map(|server| as_it_runs(&old, server)).collect())?;
        let servers = Self { old, control_port, found };
        for found in &servers.found {
            if let Some(Err(error)) = servers.port(found) {
                let cause = format!("server {} cannot be asked to reload: {error}", found.title());
                let hint = "without `-reload` it is loaded, and `m2sh reload` sends a signal";
                return Err(Error::cannot(source.doing(), cause).hint(hint));
            }
        }
        Ok(servers)
    }

    /// The digest of what there is now.
    pub(super) fn base(&self) -> String {
        self.old.digest()
    }

    /// Has them reload what has been loaded, and puts back what was there if one of them can't.
    pub(super) fn reload(&self, source: &Source, why: Option<&str>, session: &Session) -> Result<Outcome, Error> {
        let mut report = Report::default();
        let refuses = self.found.iter().position(|found| !self.reload_one(found, &mut report));
        let put_back = refuses.map(|last| self.put_back(source, session).map(|()| &self.found[..=last])).transpose();
        if let Ok(Some(asked)) = put_back {
            asked.iter().for_each(|found| _ = self.reload_one(found, &mut report));
            let cause = "not every server can serve it, and the configuration that was there is in force again";
            say(&format!("m2sh: cannot {}: {cause}", source.doing()));
        }
        if report.any_done() {
            session.record(&session.operator.entry("reload", why).about(report.servers()));
        }
        put_back.map(|asked| Outcome { report, is_put_back: asked.is_some() })
    }

    /// Whether a server serves the configuration of the database now, or need not as it doesn't run.
    fn reload_one(&self, found: &Found, report: &mut Report) -> bool {
        let answer = match self.port(found) {
            None => {
                report.absent(found);
                return true;
            }
            Some(Ok(port)) => during(&format!("reload server {}", found.title()), || ask(&port)),
            Some(Err(error)) => Err(error.to_string()),
        };
        match &answer {
            Ok((generation, warnings)) => report.reloaded(found, *generation, warnings),
            Err(reason) => report.failed(&Error::cannot(format!("reload server {}", found.title()), reason)),
        }
        answer.is_ok()
    }

    fn port<'a>(&self, found: &'a Found) -> Option<Result<Port<'a>, PortError>> {
        Some(Port::open(&found.server, &self.control_port, found.process()?))
    }

    fn put_back(&self, source: &Source, session: &Session) -> Result<(), Error> {
        let entry = session.operator.entry("rollback", Some("a server cannot serve it"));
        session.change("put back the configuration that was there", &entry, |change| {
            match change.config()?.digest() == source.config.digest() {
                true => change.save(&self.old),
                false => Err(StoreError::Moved),
            }
        })
    }
}

/// A server as it was when it started, as far as is known: its PID file and control port are where they were then.
fn as_it_runs(old: &Config, server: &Server) -> Server {
    old.servers.iter().find(|before| before.uuid == server.uuid).unwrap_or(server).clone()
}
