//! `m2sh running`: whether servers run, by their PID files, and how they do.  One that doesn't makes the exit code 3.
//!
//! In a pipe it says no more than scripts rely on, and asks nobody.  For people it adds what is known of each server, and
//! so does JSON; `-long` makes a table of it.  Certificates that end soon are a warning on stderr, and change nothing else.

use chrono::{DateTime, SecondsFormat, Utc};
use mongrel2::config::Server;
use mongrel2::config::settings::Settings;
use serde_json::{Value, json};

use crate::args::Running;
use crate::certdir::{Certdir, Pair};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::{Found, each};
use crate::health::{Seen, words};
use crate::progress::during;
use crate::session::Session;
use crate::show::{Cell, Form, escape};

use super::cert;

/// How many days before its end a certificate is worth a warning.
const SOON: i64 = 14;

const COLUMNS: [&str; 10] =
    ["name", "uuid", "pid", "since", "uptime", "generation", "newest", "port", "health", "user"];

/// What there is to compare servers with.
struct Present {
    now: DateTime<Utc>,
    /// The database's generation.
    newest: i64,
}

pub(super) fn run(args: &Running, session: &mut Session) -> Result<Exit, Error> {
    let servers = session.selected(&args.which, "look for")?;
    let found: Vec<Found> = servers.into_iter().map(Found::look).collect();
    let pairs: Vec<_> = found.iter().map(|found| pairs(&found.server, session)).collect();
    let form = session.show.form();
    match form {
        Form::Lines if !args.long => {
            found.iter().filter_map(Found::trouble).for_each(|error| _ = error.tell());
            let known = found.iter().filter(|found| found.trouble().is_none());
            known.map(|found| line(found, args.which.every)).try_for_each(|line| session.show.line(&line))?;
        }
        _ => whole(args, &found, &pairs, session)?,
    }
    let day = cert::now();
    for (found, pairs) in found.iter().zip(&pairs) {
        pairs.iter().filter_map(|pair| warning(found, pair, day)).for_each(|warning| say(&warning));
    }
    Ok(match &found {
        found if found.iter().any(|found| found.trouble().is_some()) => Exit::Failure,
        found if found.iter().any(|found| found.process().is_none()) => Exit::NotRunning,
        _ => Exit::Success,
    })
}

/// Tells everything that is known of each, all of which are asked at the same time.
fn whole(args: &Running, found: &[Found], pairs: &[Vec<Pair>], session: &mut Session) -> Result<(), Error> {
    let database = session.database()?;
    let control_port = Settings::new(&database.settings().unwrap_or_default()).control_port;
    let newest = database.newest_generation().map_err(|error| session.cannot("use the database", error))?;
    let seen = during("ask the servers", || each(found, |found| Seen::of(found, &control_port, newest)));
    let present = Present { now: Utc::now(), newest };
    let all = || found.iter().zip(&seen);
    match session.show.form() {
        Form::Json => {
            let servers = all().zip(pairs).map(|((found, seen), pairs)| json(found, seen, pairs, &present));
            return Ok(session.show.json(&servers.collect::<Vec<_>>())?);
        }
        _ if args.long => {
            let rows = all().map(|(found, seen)| row(found, seen, &present));
            session.show.table(&COLUMNS, rows)?;
        }
        _ => {
            let every = args.which.every;
            let text = |(found, seen)| line(found, every) + details(found, seen, every, &present).as_str();
            all().map(text).try_for_each(|line| session.show.line(&line))?;
        }
    }
    for (found, why) in all().filter_map(|(found, seen)| Some((found, seen.why.as_ref()?))) {
        say(&format!("m2sh: server {}: {}", found.title(), escape(why)));
    }
    Ok(())
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

fn json(found: &Found, seen: &Seen, pairs: &[Pair], present: &Present) -> Value {
    let day = present.now.timestamp();
    let certificate = |pair: &Pair| {
        let certificate = pair.certificate.as_ref().ok()?;
        let file = pair.file.display().to_string();
        Some(json!({"file": file, "ends": certificate.last_day(), "days": certificate.days(day)}))
    };
    let mut server = found.json("running", found.pid().is_some());
    server["port"] = seen.port.into();
    server["since"] = json!(seen.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true)));
    server["uptime"] = json!(seen.uptime(present.now).map(|uptime| uptime.num_seconds()));
    server["generation"] = json!(seen.generation);
    server["newest"] = present.newest.into();
    server["health"] = seen.health.word().into();
    server["user"] = json!(seen.user);
    server["why"] = json!(seen.why);
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

/// What is said behind that to somebody at a terminal.
fn details(found: &Found, seen: &Seen, every: bool, present: &Present) -> String {
    match found.process() {
        None => String::new(),
        Some(_) if every => format!(", {}", known(seen, present)),
        Some(_) => format!(" ({})", known(seen, present)),
    }
}

fn known(seen: &Seen, present: &Present) -> String {
    let since = seen.since.map(|since| {
        let uptime = seen.uptime(present.now).map(words).unwrap_or_default();
        format!("since {} UTC, {uptime}", since.format("%Y-%m-%d %H:%M:%S"))
    });
    let generation = seen.generation.map(|number| match number == present.newest {
        true => format!("generation {number}"),
        false => format!("generation {number} of {}", present.newest),
    });
    let user = seen.user.as_ref().map(|user| format!("user {}", escape(user)));
    let known = [since, Some(format!("port {}", seen.port)), generation, user, Some(seen.health.word().to_owned())];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn row(found: &Found, seen: &Seen, present: &Present) -> Vec<Cell> {
    let or_nothing = |text: Option<String>| Cell::from(text.unwrap_or_default().as_str());
    vec![
        Cell::from(found.server.name.as_str()),
        Cell::from(found.server.uuid.as_str()),
        or_nothing(found.pid().map(|pid| pid.to_string())),
        or_nothing(seen.since.map(|since| since.format("%Y-%m-%d %H:%M:%S").to_string())),
        or_nothing(seen.uptime(present.now).map(words)),
        or_nothing(seen.generation.map(|number| number.to_string())),
        Cell::from(present.newest),
        Cell::from(seen.port),
        Cell::from(seen.health.word()),
        or_nothing(seen.user.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;
    use crate::health::Health;

    #[test]
    fn details_are_what_is_known() {
        let now = Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap();
        let present = Present { now, newest: 3 };
        let mut seen = Seen {
            since: Utc.with_ymd_and_hms(2026, 11, 20, 10, 46, 11).single(),
            user: Some("www-data".into()),
            port: 6767,
            generation: Some(2),
            health: Health::Stale,
            why: None,
        };
        let expected =
            "since 2026-11-20 10:46:11 UTC, 1 h 13 min, port 6767, generation 2 of 3, user www-data, stale generation";
        assert_eq!(known(&seen, &present), expected);
        seen = Seen { since: None, user: None, generation: None, health: Health::Silent, ..seen };
        assert_eq!(known(&seen, &present), "port 6767, no answer");
    }
}
