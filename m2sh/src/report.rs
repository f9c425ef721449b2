//! What became of each server that a command acted on.
//!
//! What succeeded goes to stdout, what failed to stderr, and one failure doesn't keep a command from the
//! other servers.

use mongrel2::config::Server;
use serde_json::Value;

use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::Found;
use crate::session::Session;
use crate::show::Form;

/// The outcomes so far.
#[derive(Debug, Default)]
pub struct Report {
    told: Vec<(String, Value)>,
    done: Vec<Server>,
    failed: usize,
}

impl Report {
    /// It was done for this server: `did` is the word for it, as in `Stopped server …`.
    pub fn done(&mut self, did: &str, found: &Found) {
        self.done.push(found.server.clone());
        self.told.push((text(did, found), found.json("outcome", did.to_lowercase())));
    }

    /// It serves this generation of the configuration now, and warns of something.
    pub fn reloaded(&mut self, found: &Found, generation: i64, warnings: &[String]) {
        self.done.push(found.server.clone());
        warnings.iter().for_each(|warning| say(&format!("m2sh: warning: server {}: {warning}", found.title())));
        let text = format!("{}, generation {generation}", text("Reloaded", found));
        let mut json = found.json("outcome", "reloaded");
        json["generation"] = generation.into();
        json["warnings"] = warnings.into();
        self.told.push((text, json));
    }

    /// It runs, and serves a generation of the configuration if that could be asked.
    pub fn started(&mut self, found: &Found, generation: Option<i64>) {
        self.done.push(found.server.clone());
        let told = generation.map_or_else(String::new, |generation| format!(", generation {generation}"));
        let mut json = found.json("outcome", "started");
        json["port"] = found.server.port.into();
        json["generation"] = generation.into();
        self.told.push((format!("{}{told}", text("Started", found)), json));
    }

    /// There was nothing to be done, as the server doesn't run; or that can't be told, which is a failure.
    pub fn absent(&mut self, found: &Found) {
        if let Some(error) = found.trouble() {
            return self.failed(&error);
        }
        self.told.push((found.absence(), found.json("outcome", "not running")));
    }

    /// It could not be done.
    pub fn failed(&mut self, error: &Error) {
        self.failed += 1;
        error.tell();
    }

    /// Whether it was done for any server.
    pub fn any_done(&self) -> bool {
        !self.done.is_empty()
    }

    /// The servers that it was done for.
    pub fn servers(&self) -> &[Server] {
        &self.done
    }

    /// Whether it could not be done for any server.
    pub fn any_failed(&self) -> bool {
        self.failed > 0
    }

    /// The outcomes for people.
    pub fn lines(&self) -> impl Iterator<Item = &String> {
        self.told.iter().map(|(line, _)| line)
    }

    /// The outcomes for programs.
    pub fn rows(&self) -> impl Iterator<Item = &Value> {
        self.told.iter().map(|(_, row)| row)
    }

    /// Prints the outcomes, and sums them up: a failure counts first, and that nothing ran at all last.
    ///
    /// # Errors
    /// What the output says.
    pub fn finish(self, session: &mut Session) -> Result<Exit, Error> {
        match session.show.form() {
            Form::Json => session.show.json(&self.rows().collect::<Vec<_>>())?,
            Form::Lines | Form::Terminal => self.lines().try_for_each(|line| session.show.line(line))?,
        }
        Ok(match (self.failed, self.done.len()) {
            (0, 0) => Exit::NotRunning,
            (0, _) => Exit::Success,
            _ => Exit::Failure,
        })
    }
}

fn text(did: &str, found: &Found) -> String {
    format!("{did} server {} at PID {}", found.title(), found.pid().unwrap_or_default())
}
