//! Rhai's literals: on one line if they fit, else an entry per line.

use mongrel2::config::secret::{Piece, pieces};

/// How long a line gets at most, if it can be broken.
const WIDTH: usize = 110;

/// A value as a script writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    /// A name, number or string.
    Word(String),
    /// `Dir(#{…})`
    Call(&'static str, Vec<(String, Literal)>),
    /// Keys as they are written, and values.
    Map(Vec<(String, Literal)>),
    List(Vec<Literal>),
}

impl Literal {
    pub(super) fn text(value: &str) -> Self {
        let pieces = pieces(value).into_iter().map(|piece| match piece {
            Piece::Text(value) => text(value),
            Piece::Secret(name) => format!("secret({})", text(name)),
        });
        let sum = pieces.collect::<Vec<_>>().join(" + ");
        Self::Word(if sum.is_empty() { text("") } else { sum })
    }

    pub(super) fn map(entries: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self::Map(entries.into_iter().collect())
    }

    /// Writes the literal behind what is on the line already; further lines are indented by more than `indent`.
    pub(super) fn write(&self, out: &mut String, indent: usize) {
        let line = out.len() - out.rfind('\n').map_or(0, |end| end + 1);
        let mut flat = String::new();
        // What comes behind is `,` or `);`.
        if self.flatten(&mut flat, WIDTH.saturating_sub(line + 2)) {
            return out.push_str(&flat);
        }
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Call(name, fields) => {
                out.push_str(&format!("{name}("));
                write_map(fields, out, indent);
                out.push(')');
            }
            Self::Map(entries) => write_map(entries, out, indent),
            Self::List(entries) => {
                out.push('[');
                for entry in entries {
                    new_line(out, indent + 1);
                    entry.write(out, indent + 1);
                    out.push(',');
                }
                new_line(out, indent);
                out.push(']');
            }
        }
    }

    /// Writes the literal on one line, if it has room there.
    fn flatten(&self, out: &mut String, room: usize) -> bool {
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Call(name, fields) => {
                out.push_str(&format!("{name}("));
                if !flatten_map(fields, out, room) {
                    return false;
                }
                out.push(')');
            }
            Self::Map(entries) => return flatten_map(entries, out, room),
            Self::List(entries) => {
                out.push('[');
                for (index, entry) in entries.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    if !entry.flatten(out, room) {
                        return false;
                    }
                }
                out.push(']');
            }
        }
        out.len() <= room
    }
}

fn write_map(entries: &[(String, Literal)], out: &mut String, indent: usize) {
    out.push_str("#{");
    for (key, value) in entries {
        new_line(out, indent + 1);
        out.push_str(&format!("{key}: "));
        value.write(out, indent + 1);
        out.push(',');
    }
    new_line(out, indent);
    out.push('}');
}

fn flatten_map(entries: &[(String, Literal)], out: &mut String, room: usize) -> bool {
    out.push_str("#{");
    for (index, (key, value)) in entries.iter().enumerate() {
        out.push_str(&format!("{} {key}: ", if index == 0 { "" } else { "," }));
        if !value.flatten(out, room) {
            return false;
        }
    }
    out.push_str(if entries.is_empty() { "}" } else { " }" });
    out.len() <= room
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.push_str(&"    ".repeat(indent));
}

/// The fields of an object, those with their default left out.
pub(super) struct Object {
    name: &'static str,
    fields: Vec<(String, Literal)>,
}

impl Object {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, fields: Vec::new() }
    }

    pub(super) fn give(&mut self, field: &str, value: Literal) {
        self.fields.push((field.to_owned(), value));
    }

    pub(super) fn text(&mut self, field: &str, value: &str) {
        self.give(field, Literal::text(value));
    }

    pub(super) fn text_unless(&mut self, field: &str, value: &str, default: &str) {
        if value != default {
            self.text(field, value);
        }
    }

    pub(super) fn number(&mut self, field: &str, value: i64) {
        self.give(field, Literal::Word(value.to_string()));
    }

    pub(super) fn number_unless(&mut self, field: &str, value: i64, default: i64) {
        if value != default {
            self.number(field, value);
        }
    }

    /// A field that is `false` by default.
    pub(super) fn truth(&mut self, field: &str, value: bool) {
        if value {
            self.give(field, Literal::Word("true".into()));
        }
    }

    pub(super) fn list(&mut self, field: &str, entries: impl Iterator<Item = Literal>) {
        self.give(field, Literal::List(entries.collect()));
    }

    pub(super) fn map_unless_empty(&mut self, field: &str, entries: impl Iterator<Item = (String, Literal)>) {
        let entries: Vec<_> = entries.collect();
        if !entries.is_empty() {
            self.give(field, Literal::Map(entries));
        }
    }

    pub(super) fn done(self) -> Literal {
        Literal::Call(self.name, self.fields)
    }
}

/// A setting's value: a number if it reads as one.
pub(super) fn setting(value: &str) -> Literal {
    match value.parse::<i64>() {
        Ok(number) if number >= 0 && number.to_string() == value => Literal::Word(value.to_owned()),
        _ => Literal::text(value),
    }
}

/// A string, without escapes if it has backslashes or quotes and nothing worse.
pub(super) fn text(value: &str) -> String {
    let is_plain = |c: char| ['\'', '"', '\\'].contains(&c) || c.escape_debug().count() == 1;
    if value.contains(['\\', '"']) && value.chars().all(is_plain) && !value.contains("\"#") {
        return format!("#\"{value}\"#");
    }
    let escaped = value.chars().map(|c| match c {
        '\\' | '"' => format!("\\{c}"),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        c if is_plain(c) => c.into(),
        c if u32::from(c) <= 0xffff => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
