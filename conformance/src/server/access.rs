//! The access log.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use mongrel2::wire::tnetstring::{self, Value};

use super::Row;
use super::subject::Subject;
use crate::check::{Problem, Verdict, equal, escaped, same};

pub(super) const ROWS: &[Row] = &[
    ("line", "Each answered request is a line: a tnetstring list of nine values.", line),
    ("refused", "So is one that is refused.", refused),
];

/// The values of the line about a path.
fn values(subject: &Subject, path: &str) -> Verdict<Vec<Value>> {
    let log = subject.site.folder.join("logs/access.log");
    let began = Instant::now();
    loop {
        let text = fs::read(&log).unwrap_or_default();
        let wanted = format!("{}:{path},", path.len());
        let line = text.split(|byte| *byte == b'\n').find(|line| has(line, wanted.as_bytes()));
        if let Some(line) = line {
            return match tnetstring::parse(line) {
                Ok((Value::List(values), b"")) => Ok(values),
                _ => Err(Problem::wrong(format!("`{}` is no list", escaped(line)))),
            };
        }
        if began.elapsed() > subject.patience {
            return Err(Problem::wrong(format!("there is no line about `{path}` in `{}`", log.display())));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn has(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// All but port and time, which are numbers.
fn check(values: &[Value], wanted: [Value; 7]) -> Verdict {
    equal("the number of values", values.len(), 9)?;
    let [host, address, method, path, version, status, bytes] = wanted;
    let numbers = values[2..4].iter().all(|value| matches!(value, Value::Integer(_)));
    equal("that port and time are numbers", numbers, true)?;
    same("host and address", rendered(&values[..2]), rendered(&[host, address]))?;
    let wanted = rendered(&[method, path, version, status, bytes]);
    same("method, path, version, status and bytes", rendered(&values[4..]), wanted)
}

/// Values as the log has them, which people can read.
fn rendered(values: &[Value]) -> Vec<u8> {
    let mut text = Vec::new();
    values.iter().for_each(|value| tnetstring::render(&mut text, value));
    text
}

fn line(subject: &Subject) -> Verdict {
    let path = "/json/access/line";
    let (mut client, message) = subject.ask(&subject.json, &format!("PUT {path}?q"), "Content-Length: 0\r\n")?;
    subject.json.answer(&message.request, "hello")?;
    client.answer(false)?.expect(200, "hello")?;
    let text = |text: &str| Value::String(text.into());
    let wanted = [
        text("localhost"),
        text("127.0.0.1"),
        text("PUT"),
        text(path),
        text("HTTP/1.1"),
        Value::Integer(200),
        Value::Integer(5),
    ];
    check(&values(subject, path)?, wanted)
}

fn refused(subject: &Subject) -> Verdict {
    let path = "/nothing/access/refused";
    subject.answer(&format!("GET {path} HTTP/1.1"), "", "")?;
    let values = values(subject, path)?;
    equal("the status", values.get(7), Some(&Value::Integer(404)))
}
