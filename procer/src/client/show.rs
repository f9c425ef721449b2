//! Services and events on stdout: tables on a terminal, tab-separated lines in a pipe, JSON if asked for.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};

use crate::control::protocol::{Happened, Status};
use crate::report::printable;

/// The columns of a status.
pub const COLUMNS: [&str; 6] = ["name", "state", "pid", "uptime", "restarts", "why"];

/// Services.
pub(super) fn table(services: &[Status], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(services)?)?;
    } else if out.is_terminal() {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(COLUMNS);
        table.add_rows(services.iter().map(row));
        writeln!(out, "{table}")?;
    } else {
        for service in services {
            writeln!(out, "{}", row(service).join("\t"))?;
        }
    }
    out.flush()
}

/// Something that has happened.
pub(super) fn event(happened: &Happened, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(happened)?)?;
    } else {
        let [name, state, pid, _, _, why] = row(&happened.service);
        writeln!(out, "{}\t{name}\t{}\t{state}\t{pid}\t{why}", happened.time, happened.event.word())?;
    }
    out.flush()
}

/// A status as a row of them, for people.
pub fn row(service: &Status) -> [String; 6] {
    [
        printable(&service.name),
        service.state.word().to_owned(),
        service.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        service.uptime.map(uptime).unwrap_or_default(),
        service.restarts.to_string(),
        service.why.as_deref().map(printable).unwrap_or_default(),
    ]
}

/// The two largest units.
fn uptime(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes_have_two_units() {
        let cases = [(0.4, "0s"), (59.9, "59s"), (61.0, "1m1s"), (3660.0, "1h1m"), (90_000.0, "1d1h"), (-1.0, "0s")];
        for (seconds, wanted) in cases {
            assert_eq!(uptime(seconds), wanted);
        }
    }
}
