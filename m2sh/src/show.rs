//! What goes to stdout: tables on a terminal, tab-separated lines in a pipe, JSON if asked for.
//!
//! Lines in a pipe have no heading, so that `cut` and `awk` get rows and nothing else.  A cell never breaks
//! its line, whatever is in it: control characters are written as escapes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use serde_json::Value;

/// Longer words are broken in narrow tables.
const MAX_WORD: usize = 80;

/// The output of one command.
pub struct Show {
    form: Form,
    colours: bool,
    out: Box<dyn Write>,
}

impl std::fmt::Debug for Show {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Show").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Who is going to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Someone at a terminal.
    Terminal,
    /// A program that reads lines.
    Lines,
    /// A program that reads JSON.
    Json,
}

/// What a mark looks like on a terminal: the codes of ECMA-48, section 8.3.117.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// For what goes.
    Red = 31,
    /// For what comes.
    Green = 32,
    /// For what changes.
    Yellow = 33,
}

/// A value in a table, for people and for programs.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell(Content);

/// What is made of it is made when it is shown, and for who reads it: tables may be long.
#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// The same for all.
    Text(String),
    List(Vec<String>),
    Truth(bool),
    /// Something else for programs.
    Both(Vec<String>, Value),
}

impl Cell {
    /// Several texts: a line each on a terminal, blanks between them in a pipe, an array in JSON.
    pub fn list(items: impl IntoIterator<Item = String>) -> Self {
        Self(Content::List(items.into_iter().collect()))
    }

    /// Several values with keys: like a list of `key=value`, an object in JSON.
    pub fn map<K: Display + Serialize, V: Display + Serialize>(entries: &BTreeMap<K, V>) -> Self {
        let texts = entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Self(Content::Both(texts, serde_json::to_value(entries).expect("keys and values are texts and numbers")))
    }

    /// A text for people that is something else in JSON.
    pub fn both(text: &str, json: Value) -> Self {
        Self(Content::Both(vec![text.to_owned()], json))
    }

    /// A value as a database has it.
    pub fn value(json: Value) -> Self {
        match json {
            Value::Null => Self::both("NULL", json),
            Value::String(text) => Self(Content::Text(text)),
            other => Self::both(&other.to_string(), other),
        }
    }

    /// Appends it for people; several texts with `between` them.
    fn append(&self, out: &mut String, between: char) {
        let texts = match &self.0 {
            Content::Text(text) => std::slice::from_ref(text),
            Content::Truth(truth) => return out.push_str(if *truth { "yes" } else { "no" }),
            Content::List(texts) | Content::Both(texts, _) => texts,
        };
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                out.push(between);
            }
            escape_to(out, text);
        }
    }

    fn into_json(self) -> Value {
        match self.0 {
            Content::Text(text) => text.into(),
            Content::List(texts) => texts.into(),
            Content::Truth(truth) => truth.into(),
            Content::Both(_, json) => json,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(Content::Text(text.to_owned()))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(Content::Text(text))
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::value(number.into())
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Self(Content::Truth(truth))
    }
}

impl Show {
    /// Output to stdout.
    pub fn stdout(json: bool) -> Self {
        let out = io::stdout().lock();
        let form = match json {
            true => Form::Json,
            false if out.is_terminal() => Form::Terminal,
            false => Form::Lines,
        };
        let is_set = |name, refuses: fn(&OsStr) -> bool| std::env::var_os(name).is_some_and(|value| refuses(&value));
        let refused = is_set("NO_COLOR", |value| !value.is_empty()) || is_set("TERM", |value| value == "dumb");
        Self { colours: form == Form::Terminal && !refused, ..Self::new(form, io::BufWriter::new(out)) }
    }

    /// Output to anywhere, without colours.
    pub fn new(form: Form, out: impl Write + 'static) -> Self {
        Self { form, colours: false, out: Box::new(out) }
    }

    /// A text in a colour, where that can be seen and nobody has set `NO_COLOR`.
    pub fn painted(&self, text: &str, colour: Colour) -> String {
        if self.colours { format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8) } else { text.to_owned() }
    }

    /// Who is going to read it.
    pub fn form(&self) -> Form {
        self.form
    }

    /// A table: in JSON an array of objects that have the columns' names as keys.
    ///
    /// # Errors
    /// What the output says.
    pub fn table(&mut self, columns: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> io::Result<()> {
        let mut rows = rows.into_iter();
        match self.form {
            Form::Json => self.json(&objects(columns, rows.collect())),
            Form::Terminal => self.line(&drawn(columns, &rows.collect::<Vec<_>>())),
            // One after the other, so that a long table takes no more memory than a short one.
            Form::Lines => rows.try_for_each(|row| self.line(&tabbed(&row))),
        }
    }

    /// A line of text, which has to be escaped already.
    ///
    /// # Errors
    /// What the output says.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// A line of text, or in JSON something better.
    ///
    /// # Errors
    /// What the output says.
    pub fn either(&mut self, text: &str, json: &impl Serialize) -> io::Result<()> {
        if self.form == Form::Json { self.json(json) } else { self.line(text) }
    }

    /// JSON, whatever the form.
    ///
    /// # Errors
    /// What the output says.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, value)?;
        writeln!(self.out)
    }

    /// Writes out what has been held back.
    ///
    /// # Errors
    /// What the output says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Rows as JSON objects.
pub fn objects(columns: &[&str], rows: Vec<Vec<Cell>>) -> Vec<Value> {
    let object = |row: Vec<Cell>| {
        columns.iter().map(|name| (*name).to_owned()).zip(row.into_iter().map(Cell::into_json)).collect()
    };
    rows.into_iter().map(object).collect()
}

/// A row for `cut` and `awk`.
pub fn tabbed(row: &[Cell]) -> String {
    let mut line = String::new();
    for (index, cell) in row.iter().enumerate() {
        if index > 0 {
            line.push('\t');
        }
        cell.append(&mut line, ' ');
    }
    line
}

fn drawn(columns: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.to_vec());
    let text = |cell: &Cell| {
        let mut text = String::new();
        cell.append(&mut text, '\n');
        text
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let unbroken = |column| ColumnConstraint::LowerBoundary(Width::Fixed(longest_word(columns[column], &rows, column)));
    let constraints: Vec<ColumnConstraint> = (0..columns.len()).map(unbroken).collect();
    table.add_rows(rows);
    table.set_constraints(constraints);
    table.to_string()
}

/// The width of a column's longest word and its padding: a UUID that is broken in two can't be copied.
fn longest_word(heading: &str, rows: &[Vec<String>], column: usize) -> u16 {
    let words = rows.iter().filter_map(|row| row.get(column)).flat_map(|text| text.split([' ', '\n']));
    let longest = words.chain([heading]).map(|word| word.chars().count()).max().unwrap_or_default();
    u16::try_from(longest.min(MAX_WORD) + 2).expect("MAX_WORD is small")
}

/// A text without anything that moves a terminal's cursor or ends a line.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_to(&mut escaped, text);
    escaped
}

fn escape_to(out: &mut String, text: &str) {
    // Control characters are ASCII's, or begin with 0xC2.
    if !text.bytes().any(|byte| byte.is_ascii_control() || byte == 0xc2) {
        return out.push_str(text);
    }
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(form: Form) -> String {
        let out = Shared::default();
        let mut show = Show::new(form, out.clone());
        let routes = ["/".to_owned(), "/x".to_owned()];
        let row = vec![Cell::from("a\tb\n\u{1b}[1m"), Cell::from(7), Cell::from(true), Cell::list(routes)];
        show.table(&["name", "port", "up", "routes"], vec![row]).unwrap();
        String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_are_bare_and_unbroken() {
        assert_eq!(shown(Form::Lines), "a\\tb\\n\\u{1b}[1m\t7\tyes\t/ /x\n");
    }

    #[test]
    fn json_has_the_values_as_they_are() {
        let value: Value = serde_json::from_str(&shown(Form::Json)).unwrap();
        let expected = serde_json::json!([{"name": "a\tb\n\u{1b}[1m", "port": 7, "up": true, "routes": ["/", "/x"]}]);
        assert_eq!(value, expected);
    }

    #[test]
    fn a_terminal_gets_a_table_with_headings() {
        let table = shown(Form::Terminal);
        assert!(table.lines().nth(1).unwrap().contains("name"), "{table}");
        assert!(table.contains("a\\tb\\n\\u{1b}[1m") && !table.contains('\u{1b}'), "{table}");
    }
}
