//! Requests as they are shown, however many there are: on a terminal in tables of so many rows, in a pipe as lines, for
//! programs as the elements of one array.  What is followed is a line, or an object in a line, as soon as it comes.

use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::accesslog::{Entry, Line};
use crate::error::Error;
use crate::show::{Cell, Colour, Form, Show, escape};

/// The rows of a table, before the next one begins.
const PAGE: usize = 500;

/// What a terminal has room for.
const NARROW: [&str; 7] = ["time", "host", "address", "method", "uri", "status", "bytes"];

/// Why text can be written into a string.
const FITS: &str = "a string takes everything";

/// Where the rows go, and how.
pub(super) struct Rows<'a> {
    show: &'a mut Show,
    way: Way,
    /// Whether a row says which server's it is.
    several: bool,
    clock: Clock,
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
        Self { show, way, several, clock: Clock::default() }
    }

    /// Shows a line of a server's log.
    pub(super) fn put(&mut self, server: &str, line: Line) -> Result<(), Error> {
        let server = self.several.then_some(server);
        match &mut self.way {
            Way::Pages(rows) => {
                rows.push(narrow(server, line, &mut self.clock));
                if rows.len() >= PAGE {
                    self.draw()?;
                }
            }
            Way::Aligned => self.show.line(&aligned(server, &line, &mut self.clock, self.show))?,
            Way::Tabbed => self.show.line(&wide(server, &line, &mut self.clock))?,
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

fn narrow(server: Option<&str>, line: Line, clock: &mut Clock) -> Vec<Cell> {
    let cells = match line {
        Line::Entry(entry) => {
            let Entry { host, address, method, uri, status, bytes, .. } = &*entry;
            let cells = [clock.text(entry.time).into(), said(host), address[..].into(), said(method), said(uri)];
            cells.into_iter().chain([Cell::from(i64::from(*status)), size(*bytes)]).collect()
        }
        // Under the widest column.
        Line::Other(line) => [""; 4].into_iter().chain([&line[..], "", ""]).map(Cell::from).collect::<Vec<_>>(),
    };
    server.map(Cell::from).into_iter().chain(cells).collect()
}

/// Everything that is known, with tabs between; a line that is not a request stays a line.  Logs are long: this is what
/// has to be fast.
fn wide(server: Option<&str>, line: &Line, clock: &mut Clock) -> String {
    let mut row = String::with_capacity(200);
    if let Some(server) = server {
        push(&mut row, server);
    }
    match line {
        Line::Other(line) => push(&mut row, line),
        Line::Entry(entry) => {
            let Entry { host, address, port, method, uri, version, status, bytes, referer, user_agent, .. } = &**entry;
            row.push_str(clock.text(entry.time));
            row.push('\t');
            push(&mut row, host.as_deref().unwrap_or_default());
            push(&mut row, address);
            port.map_or(Ok(()), |port| write!(row, "{port}")).expect(FITS);
            row.push('\t');
            [method, uri, version].into_iter().for_each(|text| push(&mut row, text.as_deref().unwrap_or_default()));
            write!(row, "{status}\t{bytes}\t").expect(FITS);
            [referer, user_agent].into_iter().for_each(|text| push(&mut row, text.as_deref().unwrap_or_default()));
        }
    }
    row.pop();
    row
}

/// Adds a field and the tab behind it.
fn push(row: &mut String, text: &str) {
    match text.contains(char::is_control) {
        true => row.push_str(&escape(text)),
        false => row.push_str(text),
    }
    row.push('\t');
}

/// The time as the log of what was done has it, made once a second.
#[derive(Default)]
struct Clock {
    second: i64,
    text: String,
}

impl Clock {
    fn text(&mut self, second: i64) -> &str {
        if self.second != second || self.text.is_empty() {
            let time = DateTime::from_timestamp(second, 0);
            self.text = time.map_or_else(|| second.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string());
            self.second = second;
        }
        &self.text
    }
}

fn said(text: &Option<String>) -> Cell {
    text.as_deref().unwrap_or_default().into()
}

fn size(bytes: u64) -> Cell {
    Cell::value(bytes.into())
}

/// A line for who watches: what varies most is last.
fn aligned(server: Option<&str>, line: &Line, clock: &mut Clock, show: &Show) -> String {
    let server = server.map(|server| format!("{}  ", escape(server))).unwrap_or_default();
    match line {
        Line::Other(line) => format!("{server}{}", escape(line)),
        Line::Entry(entry) => {
            let Entry { host, address, method, uri, status, bytes, .. } = &**entry;
            let said = |text: &Option<String>| escape(text.as_deref().unwrap_or("-"));
            let (time, address, method) = (clock.text(entry.time), escape(address), said(method));
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
    use crate::show::tabbed;

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
            let (show, mut clock) = (Show::new(Form::Terminal, Vec::new()), Clock::default());
            let shown = [
                tabbed(&narrow(server, line.clone(), &mut clock)),
                wide(server, &line, &mut clock),
                aligned(server, &line, &mut clock, &show),
            ];
            for text in shown {
                assert!(!text.contains(|c: char| c.is_control() && c != '\t'), "{text:?}");
            }
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_a_number() {
        let mut clock = Clock::default();
        for (second, text) in
            [(0, "1970-01-01 00:00:00"), (i64::MAX, &i64::MAX.to_string()), (1, "1970-01-01 00:00:01")]
        {
            assert_eq!(clock.text(second), text);
        }
    }
}
