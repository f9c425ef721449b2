//! The access logs of servers: lines in any of the forms that they write, as entries.
//!
//! A log may hold several forms, one after the other, as the setting `access_log.format` was changed; so each line is
//! read for itself.  What is in it came from clients: nothing here believes it, and whoever prints it escapes it.
//!
//! `common`: the forms of Apache.  `filter`: which entries are wanted.  `lines`: the file, also while it grows and is
//! replaced.

mod common;
mod filter;
mod lines;

use mongrel2::wire::tnetstring::{self, Value};
use serde::{Deserialize, Serialize};

pub use filter::{Filter, Statuses};
pub use lines::{LogFile, Stream, Wanted};

/// An answered request.  What the form of its line doesn't tell, or the client hasn't told, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970.
    pub time: i64,
    /// The host's name in the configuration.
    #[serde(default)]
    pub host: Option<String>,
    /// The client's address.
    pub address: String,
    /// The client's port.
    #[serde(default)]
    pub port: Option<u16>,
    /// What was asked for, as in `GET`.
    #[serde(default)]
    pub method: Option<String>,
    /// The path, with its query if the line's form has it.
    #[serde(default)]
    pub uri: Option<String>,
    /// The version of HTTP, as in `HTTP/1.1`.
    #[serde(default)]
    pub version: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    #[serde(default)]
    pub bytes: u64,
    /// From where the client came.
    #[serde(default)]
    pub referer: Option<String>,
    /// What the client says to be.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// A line of an access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// One that tells of a request.
    Entry(Box<Entry>),
    /// Anything else, as it is.
    Other(String),
}

impl Line {
    /// Reads a line, without its end.
    pub fn parse(line: &[u8]) -> Self {
        let entry = match line.first() {
            Some(b'{') => serde_json::from_slice(line).ok(),
            _ => list(line).or_else(|| common::parse(line)),
        };
        match entry {
            Some(entry) => Self::Entry(Box::new(entry)),
            None => Self::Other(String::from_utf8_lossy(line).into_owned()),
        }
    }
}

/// The form of the original: host, address, port, time, method, path, version, status, bytes.
fn list(line: &[u8]) -> Option<Entry> {
    let Ok((Value::List(values), b"")) = tnetstring::parse(line) else { return None };
    let [host, address, port, time, method, path, version, status, bytes] = <[Value; 9]>::try_from(values).ok()?;
    let said = |value| Some(text(value)?).map(|text| Some(text).filter(|text| text != "-"));
    Some(Entry {
        time: number(&time)?,
        host: Some(text(host)?),
        address: text(address)?,
        port: Some(number(&port)?.try_into().ok()?),
        method: said(method)?,
        uri: said(path)?,
        version: said(version)?,
        status: number(&status)?.try_into().ok()?,
        bytes: number(&bytes)?.try_into().ok()?,
        ..Entry::default()
    })
}

fn text(value: Value) -> Option<String> {
    let Value::String(bytes) = value else { return None };
    // Mostly it is UTF-8, and need not be copied.
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGINAL: &str = include_str!("../../../server/tests/recorded/c-access.log");

    fn entry(line: &str) -> Entry {
        match Line::parse(line.as_bytes()) {
            Line::Entry(entry) => *entry,
            Line::Other(line) => panic!("{line}"),
        }
    }

    #[test]
    fn lines_of_the_original() {
        let first = entry(ORIGINAL.lines().next().unwrap());
        let expected = Entry {
            time: 1_795_161_670,
            host: Some("localhost".into()),
            address: "127.0.0.1".into(),
            port: Some(43696),
            method: Some("GET".into()),
            uri: Some("/json".into()),
            version: Some("HTTP/1.1".into()),
            status: 200,
            ..Entry::default()
        };
        assert_eq!(first, expected);
        ORIGINAL.lines().map(entry).for_each(|entry| assert_eq!(entry.address, "127.0.0.1"));
    }

    #[test]
    fn lines_in_json() {
        let line = r#"{"time":1795161671,"host":"a","address":"::1","port":43718,"method":null,"uri":null,
            "version":null,"status":400,"bytes":12,"referer":null,"user_agent":"x\u001b[2J"}"#;
        let read = entry(line);
        assert_eq!((read.status, read.bytes, &read.uri), (400, 12, &None));
        assert_eq!(read.user_agent.as_deref(), Some("x\u{1b}[2J"));
    }

    #[test]
    fn a_request_that_could_not_be_read_has_no_words() {
        let read = entry("61:1:a,9:127.0.0.1,5:43696#10:1795161670#1:-,1:-,1:-,3:400#2:12#]");
        assert_eq!((read.method, read.uri, read.version), (None, None, None));
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        for line in [
            "",
            "what",
            "{\"time\":1}",
            "{",
            "3:a,b,]",
            "0:]",
            "81:9:localhost,9:127.0.0.1,5:43696#10:1795161670#3:GET,5:/json,8:HTTP/1.1,3:200#1:0#] ",
            "81:9:localhost,9:127.0.0.1,5:99999#10:1795161670#3:GET,5:/json,8:HTTP/1.1,3:200#1:0#]",
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Line::Other(line.into()));
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in any::<Vec<u8>>(), start in 0..3_usize) {
            let start = ["", "127.0.0.1 - - [20/Nov/2026:08:01:11 +0000] \"", "{\"time\":"][start];
            Line::parse(&[start.as_bytes(), &line].concat());
        }
    }
}
