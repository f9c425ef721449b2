//! `m2sh log -stats`: beside each deployment what servers have counted until the next one, and which made things worse.

use std::collections::BTreeMap;

use mongrel2::config::Database;
use mongrel2::config::history::{About, Filter, Logged};
use serde_json::{Value, json};

use crate::deployments::{Deployment, Served, Worse, deployments};
use crate::error::Error;
use crate::exit::Exit;
use crate::plot;
use crate::session::Session;
use crate::show::{Cell, Colour, Form, escape};

use super::line;

const COLUMNS: [&str; 14] = [
    "generation",
    "happened_at",
    "who",
    "what",
    "server",
    "requests",
    "errors",
    "error_rate",
    "latency",
    "sd",
    "max",
    "bytes",
    "starts",
    "worse",
];

/// How many deployments a plot has at most, the newest ones.
const WIDTH: usize = 60;

pub(super) fn run(database: &Database, filter: &Filter, session: &mut Session) -> Result<Exit, Error> {
    let read = || Ok((database.generations()?, database.server_statistics()?, database.servers()?));
    let (generations, statistics, servers) = read().map_err(|error| session.cannot("read the statistics", error))?;
    let names = servers.iter().map(|server| (server.uuid.clone(), server.label().to_owned())).collect();
    let labels = Labels(names);
    let chosen = chosen(deployments(generations, &statistics), filter);
    match session.show.form() {
        Form::Json => {
            session.show.json(&chosen.iter().map(|deployment| labels.json(deployment)).collect::<Vec<_>>())?
        }
        form => {
            let rows = chosen.iter().flat_map(|deployment| labels.rows(deployment, form));
            session.show.table(&COLUMNS, rows)?;
        }
    }
    if session.show.form() == Form::Terminal {
        plots(&chosen, &labels, session)?;
        blame(&chosen, &labels, session)?;
    }
    Ok(Exit::Success)
}

/// Those that are wanted.  All have been compared with those before them by now, wanted or not.
fn chosen(mut all: Vec<Deployment>, filter: &Filter) -> Vec<Deployment> {
    let Filter { since, who, what, servers, last, .. } = filter;
    for deployment in &mut all {
        deployment.served.retain(|served| servers.is_empty() || servers.contains(&served.uuid));
    }
    let is_wanted = |deployment: &Deployment| {
        let logged = deployment.logged.as_ref();
        let has = |wanted: &Option<String>, is: fn(&Logged, &String) -> bool| {
            wanted.as_ref().is_none_or(|wanted| logged.is_some_and(|logged| is(logged, wanted)))
        };
        let is_about = servers.is_empty() || logged.is_some_and(|logged| is_about(&logged.servers, servers));
        (is_about || !deployment.served.is_empty())
            && has(since, |logged, since| logged.happened_at >= *since)
            && has(who, |logged, who| logged.who == *who || logged.login.as_ref() == Some(who))
            && has(what, |logged, what| logged.what == *what)
    };
    all.retain(is_wanted);
    let surplus = last.map_or(0, |last| all.len().saturating_sub(usize::try_from(last).unwrap_or(usize::MAX)));
    all.split_off(surplus)
}

fn is_about(about: &About, servers: &[String]) -> bool {
    match about {
        About::Nothing => false,
        About::Servers(uuids) => servers.iter().any(|server| uuids.contains(server)),
        About::All => true,
    }
}

/// The names of servers, by UUID.
struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The name, if there is still a server of that UUID and no other has it, else the UUID.
    fn of<'a>(&'a self, uuid: &'a str) -> &'a str {
        let name = self.0.get(uuid).map_or(uuid, String::as_str);
        if self.0.values().filter(|other| *other == name).count() > 1 { uuid } else { name }
    }

    /// A line for each server, or one if there is none.
    fn rows(&self, deployment: &Deployment, form: Form) -> Vec<Vec<Cell>> {
        let text = |field: fn(&Logged) -> &str| Cell::from(deployment.logged.as_ref().map_or("", field));
        let row = |served: Option<&Served>| {
            let mut row = vec![
                Cell::from(deployment.generation),
                text(|logged| &logged.happened_at),
                text(|logged| &logged.who),
                text(|logged| &logged.what),
            ];
            match served {
                Some(served) => row.extend(self.cells(served, form)),
                None => row.extend((row.len()..COLUMNS.len()).map(|_| Cell::from("")).collect::<Vec<_>>()),
            }
            row
        };
        match &deployment.served[..] {
            [] => vec![row(None)],
            served => served.iter().map(|served| row(Some(served))).collect(),
        }
    }

    fn cells(&self, served: &Served, form: Form) -> Vec<Cell> {
        let Served { uuid, latency, errors, bytes, starts, worse } = served;
        let is_read = form == Form::Terminal;
        let cell = |number: f64, unit: fn(f64) -> String| {
            let text = if is_read { unit(number) } else { number.to_string() };
            Cell::from(text.as_str())
        };
        let seconds = |number: f64| if latency.n == 0 { Cell::from("") } else { cell(number, seconds) };
        vec![
            self.of(uuid).into(),
            cell(latency.n as f64, |number| number.to_string()),
            cell(errors.sum, |number| number.to_string()),
            cell(errors.mean(), percent),
            seconds(latency.mean()),
            seconds(latency.sd()),
            seconds(latency.max),
            cell(bytes.sum, size),
            cell(*starts as f64, |number| number.to_string()),
            Cell::list(worse.iter().map(|worse| worse.word().to_owned())),
        ]
    }

    fn json(&self, deployment: &Deployment) -> Value {
        let served = deployment.served.iter().map(|served| {
            let Served { uuid, latency, errors, bytes, starts, worse } = served;
            let seconds = (latency.n > 0)
                .then(|| json!({"mean": latency.mean(), "sd": latency.sd(), "min": latency.min, "max": latency.max}));
            json!({
                "server": self.of(uuid), "uuid": uuid, "requests": latency.n, "errors": errors.sum as u64,
                "error_rate": errors.mean(), "latency": seconds, "bytes": bytes.sum as u64, "starts": starts, "worse": worse,
            })
        });
        let served: Vec<Value> = served.collect();
        let mut json = serde_json::to_value(&deployment.logged).expect("an entry is texts and numbers");
        // The number of the entry is none of the deployment.
        if let Some(entry) = json.as_object_mut() {
            entry.remove("id");
        } else {
            json = json!({});
        }
        json["generation"] = deployment.generation.into();
        json["served"] = served.into();
        json
    }
}

/// For each server its error rate and its latency over the deployments; what is worse than before is red.
fn plots(chosen: &[Deployment], labels: &Labels, session: &mut Session) -> Result<(), Error> {
    let newest = &chosen[chosen.len().saturating_sub(WIDTH)..];
    let mut by_server: BTreeMap<&str, Vec<Option<&Served>>> = BTreeMap::new();
    for uuid in newest.iter().flat_map(|deployment| &deployment.served).map(|served| served.uuid.as_str()) {
        let of = |deployment: &'_ Deployment| deployment.served.iter().position(|served| served.uuid == uuid);
        let column = || newest.iter().map(|deployment| of(deployment).map(|index| &deployment.served[index]));
        by_server
            .entry(uuid)
            .or_insert_with(|| column().map(|served| served.filter(|served| served.latency.n > 0)).collect());
    }
    let (Some(first), Some(last)) = (newest.first(), newest.last()) else { return Ok(()) };
    for (uuid, served) in by_server.iter().filter(|(_, served)| served.iter().flatten().next().is_some()) {
        let server = escape(labels.of(uuid));
        session.show.line(&format!("\n{server}, generations {} to {}", first.generation, last.generation))?;
        plot("errors ", served, Worse::Errors, |served| served.errors.mean(), percent, session)?;
        plot("latency", served, Worse::Latency, |served| served.latency.mean(), seconds, session)?;
    }
    Ok(())
}

fn plot(
    title: &str,
    served: &[Option<&Served>],
    kind: Worse,
    number: fn(&Served) -> f64,
    unit: fn(f64) -> String,
    session: &mut Session,
) -> Result<(), Error> {
    let numbers: Vec<Option<f64>> = served.iter().map(|served| served.map(number)).collect();
    let is_worse = |served: &Option<&Served>| served.is_some_and(|served| served.worse.contains(&kind));
    let block = |(served, block): (&Option<&Served>, char)| {
        let text = block.to_string();
        if is_worse(served) { session.show.painted(&text, Colour::Red) } else { text }
    };
    let line: String = served.iter().zip(plot::blocks(&numbers)).map(block).collect();
    let known = || numbers.iter().flatten().copied();
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(0.0, f64::max));
    Ok(session.show.line(&format!("{title}  {line}  {} to {}", unit(least), unit(most)))?)
}

/// Names those that made things worse, each with its line of the log.
fn blame(chosen: &[Deployment], labels: &Labels, session: &mut Session) -> Result<(), Error> {
    let mut gap = "\n";
    for Deployment { generation, logged, served } in chosen {
        for Served { uuid, worse, .. } in served.iter().filter(|served| !served.worse.is_empty()) {
            let what = worse.iter().map(|worse| worse.word()).collect::<Vec<_>>().join(" and ");
            let entry = logged.as_ref().map_or_else(String::new, |entry| line(entry, None));
            let server = escape(labels.of(uuid));
            session.show.line(&format!("{gap}Worse since generation {generation}: {what} of {server}  {entry}"))?;
            gap = "";
        }
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn seconds(seconds: f64) -> String {
    match seconds {
        ..1e-3 => format!("{:.0} µs", seconds * 1e6),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

fn size(bytes: f64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB"];
    let power = (1..units.len()).rev().find(|power| bytes >= 1024_f64.powi(*power as i32)).unwrap_or(0);
    format!("{:.*} {}", usize::from(power > 0), bytes / 1024_f64.powi(power as i32), units[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_their_units() {
        assert_eq!([0.000_25, 0.0123, 2.5].map(seconds), ["250 µs", "12.3 ms", "2.50 s"]);
        assert_eq!([0.0, 1023.0, 1536.0, 3e9].map(size), ["0 bytes", "1023 bytes", "1.5 KiB", "2.8 GiB"]);
        assert_eq!(percent(0.0125), "1.25 %");
    }
}
