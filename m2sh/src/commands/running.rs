//! `m2sh running`: whether servers run, by their PID files.  One that doesn't makes the exit code 3.
//!
//! Certificates that end soon are a warning on stderr, and change nothing else.

use mongrel2::config::Server;
use mongrel2::config::settings::Settings;
use serde_json::{Value, json};

use crate::args::Which;
use crate::certdir::{Certdir, Pair};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::Found;
use crate::session::Session;
use crate::show::{Form, escape};

use super::cert::now;

/// How many days before its end a certificate is worth a warning.
const SOON: i64 = 14;

pub(super) fn run(which: &Which, session: &mut Session) -> Result<Exit, Error> {
    let found = Found::all(session.selected(which, "look for")?)?;
    let pairs: Vec<_> = found.iter().map(|found| pairs(&found.server, session)).collect();
    let now = now();
    if session.show.form() == Form::Json {
        let servers = found.iter().zip(&pairs).map(|(found, pairs)| json(found, pairs, now));
        session.show.json(&servers.collect::<Vec<_>>())?;
    } else {
        found.iter().try_for_each(|found| session.show.line(&line(found, which.every)))?;
    }
    for (found, pairs) in found.iter().zip(&pairs) {
        pairs.iter().filter_map(|pair| warning(found, pair, now)).for_each(|warning| say(&warning));
    }
    let all = found.iter().all(|found| found.process().is_some());
    Ok(if all { Exit::Success } else { Exit::NotRunning })
}

/// The pairs of a server that speaks TLS, as far as they can be seen: whether it runs can be told in any case.
fn pairs(server: &Server, session: &Session) -> Vec<Pair> {
    let known = || {
        let database = session.database().ok()?;
        let settings = Settings::new(&database.settings().ok()?);
        Certdir::of(server, &database.servers().ok()?, &settings)?.pairs().ok()
    };
    if server.use_ssl { known().unwrap_or_default() } else { Vec::new() }
}

fn warning(found: &Found, pair: &Pair, now: i64) -> Option<String> {
    let certificate = pair.certificate.as_ref().ok().filter(|certificate| certificate.ends_within(SOON, now))?;
    let when = match certificate.days(now) {
        ..0 => "is over, since",
        0 => "ends within a day, on",
        1 => "ends in 1 day, on",
        days => &format!("ends in {days} days, on"),
    };
    let (file, server, day) = (escape(&pair.file.display().to_string()), found.title(), certificate.last_day());
    Some(format!("m2sh: warning: the certificate `{file}` of server {server} {when} {day}"))
}

fn json(found: &Found, pairs: &[Pair], now: i64) -> Value {
    let certificate = |pair: &Pair| {
        let certificate = pair.certificate.as_ref().ok()?;
        let file = pair.file.display().to_string();
        Some(json!({"file": file, "ends": certificate.last_day(), "days": certificate.days(now)}))
    };
    let mut server = found.json("running", found.pid().is_some());
    server["certificates"] = pairs.iter().filter_map(certificate).collect();
    server
}

/// The sentences of the manual's section 3.9, and the one that scripts look for.
fn line(found: &Found, every: bool) -> String {
    match found.pid() {
        None => found.absence(),
        Some(pid) if every => format!("Found server {} RUNNING at PID {pid}", found.title()),
        Some(pid) => format!("mongrel2 at PID {pid} running."),
    }
}
