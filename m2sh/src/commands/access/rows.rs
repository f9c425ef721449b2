//! Requests as they are shown, however many there are: on a terminal in tables of so many rows, in a pipe as lines, for
//! programs as the elements of one array.  What is followed is a line, or an object in a line, as soon as it comes.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::accesslog::{Entry, Line};
use crate::error::Error;
use crate::show::{Cell, Colour, Form, Show, escape, tabbed};

/// The rows of a table, before the next one begins.
const PAGE: usize = 500;

/// What a terminal has room for.
const NARROW: [&str; 7] = ["time", "host", "address", "method", "uri", "status", "bytes"];

/// Where the rows go, and how.
pub(super) struct Rows<'a> {
    show: &'a mut Show,
    way: Way,
    /// Whether a row says which server's it is.
    several: bool,
}

enum Way {
    /// Tables, and the rows of the next one.
    Pages(Vec<Vec<Cell>>),
    /// Aligned lines.
    Aligned,
    /// Lines for `cut` and `awk`.
    Tabbed,
    /// An array, and the element that has to be told apart from the next one.
    Array(Option<String>),
    /// An object in each line.
    Objects,
}

impl<'a> Rows<'a> {
    pub(super) fn new(show: &'a mut Show, follow: bool, several: bool) -> Self {
        let way = match (show.form(), follow) {
            (Form::Terminal, false) => Way::Pages(Vec::new()),
            (Form::Terminal, true) => Way::Aligned,
            (Form::Lines, _) => Way::Tabbed,
            (Form::Json, false) => Way::Array(None),
            (Form::Json, true) => Way::Objects,
        };
        Self { show, way, several }
    }

    /// Shows a line of a server's log.
    pub(super) fn put(&mut self, server: &str, line: Line) -> Result<(), Error> {
        let server = self.several.then_some(server);
        match &mut self.way {
            Way::Pages(rows) => {
                rows.push(narrow(server, line));
                if rows.len() >= PAGE {
                    self.draw()?;
                }
            }
            Way::Aligned => self.show.line(&aligned(server, &line, self.show))?,
            Way::Tabbed => self.show.line(&tabbed(&wide(server, line)))?,
            Way::Objects => self.show.line(&object(server, &line).to_string())?,
            Way::Array(last) => {
                let line =
                    last.replace(object(server, &line).to_string()).map_or("[".into(), |last| format!("{last},"));
                self.show.line(&line)?;
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        Ok(self.show.flush()?)
    }

    /// Shows what has been held back.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        match &self.way {
            Way::Pages(_) => self.draw(),
            Way::Array(None) => Ok(self.show.line("[]")?),
            Way::Array(Some(last)) => Ok(self.show.line(&format!("{last}\n]"))?),
            Way::Aligned | Way::Tabbed | Way::Objects => Ok(()),
        }
    }

    fn draw(&mut self) -> Result<(), Error> {
        let Way::Pages(rows) = &mut self.way else { return Ok(()) };
        let columns: Vec<&str> = self.several.then_some("server").into_iter().chain(NARROW).collect();
        self.show.table(&columns, std::mem::take(rows))?;
        Ok(())
    }
}

fn narrow(server: Option<&str>, line: Line) -> Vec<Cell> {
    let cells = match line {
        Line::Entry(entry) => {
            let Entry { host, address, method, uri, status, bytes, .. } = &*entry;
            let cells = [time(&entry), said(host), address[..].into(), said(method), said(uri)];
            cells.into_iter().chain([Cell::from(i64::from(*status)), size(*bytes)]).collect()
        }
        // Under the widest column.
        Line::Other(line) => [""; 4].into_iter().chain([&line[..], "", ""]).map(Cell::from).collect::<Vec<_>>(),
    };
    server.map(Cell::from).into_iter().chain(cells).collect()
}

/// Everything that is known; a line that is not a request stays a line.
fn wide(server: Option<&str>, line: Line) -> Vec<Cell> {
    let cells = match line {
        Line::Entry(entry) => {
            let Entry { host, address, port, method, uri, version, status, bytes, referer, user_agent, .. } = &*entry;
            let port = port.map_or(Cell::from(""), |port| i64::from(port).into());
            let start = [time(&entry), said(host), address[..].into(), port, said(method), said(uri), said(version)];
            let end = [Cell::from(i64::from(*status)), size(*bytes), said(referer), said(user_agent)];
            start.into_iter().chain(end).collect()
        }
        Line::Other(line) => vec![Cell::from(&line[..])],
    };
    server.map(Cell::from).into_iter().chain(cells).collect()
}

fn said(text: &Option<String>) -> Cell {
    text.as_deref().unwrap_or_default().into()
}

fn size(bytes: u64) -> Cell {
    Cell::value(bytes.into())
}

/// As the log of what was done has it.
fn time(entry: &Entry) -> Cell {
    Cell::from(&clock(entry)[..])
}

fn clock(entry: &Entry) -> String {
    let time = DateTime::from_timestamp(entry.time, 0);
    time.map_or_else(|| entry.time.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A line for who watches: what varies most is last.
fn aligned(server: Option<&str>, line: &Line, show: &Show) -> String {
    let server = server.map(|server| format!("{}  ", escape(server))).unwrap_or_default();
    match line {
        Line::Other(line) => format!("{server}{}", escape(line)),
        Line::Entry(entry) => {
            let Entry { host, address, method, uri, status, bytes, .. } = &**entry;
            let said = |text: &Option<String>| escape(text.as_deref().unwrap_or("-"));
            let (time, address, method) = (clock(entry), escape(address), said(method));
            let place = format!("{}{}", host.as_deref().map(escape).unwrap_or_default(), said(uri));
            let status = match status {
                500.. => show.painted(&status.to_string(), Colour::Red),
                400..500 => show.painted(&status.to_string(), Colour::Yellow),
                _ => status.to_string(),
            };
            format!("{server}{time}  {address:<15}  {status}  {bytes:>9}  {method} {place}")
        }
    }
}

/// The entry as servers write it in JSON.
fn object(server: Option<&str>, line: &Line) -> Value {
    let fields = match line {
        Line::Entry(entry) => json!(entry),
        Line::Other(line) => json!({ "line": line }),
    };
    let Some(server) = server else { return fields };
    let mut object = serde_json::Map::from_iter([("server".to_owned(), json!(server))]);
    object.extend(fields.as_object().cloned().unwrap_or_default());
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Entry {
        Entry {
            time: 1_795_161_671,
            host: Some("a\u{1b}[2J".into()),
            address: "1.2.3.4\u{7}".into(),
            method: Some("GET\t".into()),
            uri: Some("/\n\u{9b}".into()),
            status: 404,
            bytes: u64::MAX,
            ..Entry::default()
        }
    }

    #[test]
    fn no_form_lets_control_characters_through() {
        for line in [Line::Entry(Box::new(hostile())), Line::Other("\u{1b}[2J\n\u{9b}".into())] {
            let server = Some("\u{1b}");
            let show = Show::new(Form::Terminal, Vec::new());
            let shown = [
                tabbed(&narrow(server, line.clone())),
                tabbed(&wide(server, line.clone())),
                aligned(server, &line, &show),
            ];
            for text in shown {
                assert!(!text.contains(|c: char| c.is_control() && c != '\t'), "{text:?}");
            }
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_a_number() {
        assert_eq!(clock(&hostile()), "2026-11-20 08:01:11");
        assert_eq!(clock(&Entry { time: i64::MAX, ..hostile() }), i64::MAX.to_string());
    }
}
