//! The control port, in both of its languages.

use std::time::{SystemTime, UNIX_EPOCH};

use mongrel2::wire::tnetstring::{self, Value};

use super::Row;
use super::site::UUID;
use super::subject::Subject;
use crate::check::{Problem, Verdict, equal, escaped, holds};

pub(super) const ROWS: &[Row] = &[
    ("time", "`time` tells the seconds since 1970.", time),
    ("uuid", "`uuid` tells the server's.", uuid),
    ("info", "`info` has the columns that it always had.", info),
    ("help", "`help` lists the commands that there always were.", help),
    ("net", "`status net` has a row for each connection, which begins with its id.", net),
    ("tasks", "`status tasks` tells what runs.", tasks),
    ("kill", "`kill` ends a connection, and its handler is told.", kill),
    ("kill-missing", "A connection that isn't there is an invalid argument.", kill_missing),
    ("unknown", "A command that isn't there is told as that.", unknown),
    ("no-list", "What is no list is an invalid request.", no_list),
    ("garbage", "What is no tnetstring is invalid data, and the next question is answered.", garbage),
    ("nul", "A NUL byte behind a question means nothing.", nul),
    ("words", "Words are answered with JSON.", words),
    ("words-net", "`status net` in words has a key for each id.", words_net),
];

/// Asks with any bytes.
fn ask(subject: &Subject, request: &[u8]) -> Verdict<Vec<u8>> {
    let socket = zmq::Context::new().socket(zmq::REQ)?;
    socket.set_linger(0)?;
    socket.set_rcvtimeo(i32::try_from(subject.patience.as_millis()).unwrap_or(i32::MAX))?;
    socket.connect(&subject.site.control)?;
    socket.send(request, 0)?;
    socket.recv_bytes(0).map_err(|error| Problem::wrong(format!("no answer to `{}`: {error}", escaped(request))))
}

/// An answer's keys and values; a NUL behind it means nothing.
fn answer(subject: &Subject, request: &[u8]) -> Verdict<Vec<(Vec<u8>, Value)>> {
    let bytes = ask(subject, request)?;
    match tnetstring::parse(&bytes) {
        Ok((Value::Dict(dict), b"" | b"\0")) => Ok(dict),
        _ => Err(Problem::wrong(format!("`{}` is no dictionary", escaped(&bytes)))),
    }
}

fn value<'a>(dict: &'a [(Vec<u8>, Value)], key: &str) -> Verdict<&'a Value> {
    let found = dict.iter().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value);
    found.ok_or_else(|| Problem::wrong(format!("`{key}` isn't in {dict:?}")))
}

fn list(value: &Value) -> Verdict<&[Value]> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(Problem::wrong(format!("{other:?} is no list"))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// The columns of a table, and its rows as texts.
fn table(subject: &Subject, request: &[u8]) -> Verdict<(Vec<String>, Vec<Vec<String>>)> {
    let dict = answer(subject, request)?;
    let texts = |value: &Value| Ok(list(value)?.iter().map(text).collect::<Vec<_>>());
    let rows = list(value(&dict, "rows")?)?.iter().map(texts).collect::<Verdict<_>>()?;
    Ok((texts(value(&dict, "headers")?)?, rows))
}

/// A value of the first row.
fn first(rows: &[Vec<String>], column: usize) -> Verdict<&str> {
    cell(rows.first().map_or(&[][..], Vec::as_slice), column)
}

fn cell(row: &[String], column: usize) -> Verdict<&str> {
    let found = row.get(column).map(String::as_str);
    found.ok_or_else(|| Problem::wrong(format!("there is no value {} in {row:?}", column + 1)))
}

fn has_columns(found: &[String], wanted: &[&str]) -> Verdict {
    // More may come behind them.
    equal("the first columns", found.get(..wanted.len()).unwrap_or(found), wanted)
}

fn has_code(subject: &Subject, request: &[u8], code: &str) -> Verdict {
    let dict = answer(subject, request)?;
    value(&dict, "error")?;
    equal("the code", text(value(&dict, "code")?).as_str(), code)
}

fn json(subject: &Subject, words: &str) -> Verdict<serde_json::Value> {
    let bytes = ask(subject, words.as_bytes())?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|error| Problem::wrong(format!("`{}`: {error}", escaped(bytes))))
}

fn is_now(seconds: &str) -> Verdict {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::wrong)?.as_secs();
    let told: u64 = seconds.parse().map_err(|_| Problem::wrong(format!("`{seconds}` is no number")))?;
    holds(now.abs_diff(told) < 60, || format!("the time is {told}, wanted about {now}"))
}

fn time(subject: &Subject) -> Verdict {
    let (columns, rows) = table(subject, b"10:4:time,0:}]")?;
    has_columns(&columns, &["time"])?;
    is_now(first(&rows, 0)?)
}

fn uuid(subject: &Subject) -> Verdict {
    let (columns, rows) = table(subject, b"10:4:uuid,0:}]")?;
    has_columns(&columns, &["uuid"])?;
    equal("the UUID", first(&rows, 0)?, UUID)
}

fn info(subject: &Subject) -> Verdict {
    let (columns, rows) = table(subject, b"10:4:info,0:}]")?;
    let wanted = ["port", "bind_addr", "uuid", "chroot", "access_log", "error_log", "pid_file", "default_hostname"];
    has_columns(&columns, &wanted)?;
    equal("the number of rows", rows.len(), 1)?;
    equal("the port", first(&rows, 0)?, subject.site.address.port().to_string().as_str())?;
    equal("the UUID", first(&rows, 2)?, UUID)
}

fn help(subject: &Subject) -> Verdict {
    let (columns, rows) = table(subject, b"10:4:help,0:}]")?;
    has_columns(&columns, &["name", "help"])?;
    let names: Vec<&str> = rows.iter().filter_map(|row| row.first()).map(String::as_str).collect();
    let wanted = ["stop", "reload", "help", "control_stop", "kill", "status", "terminate", "time", "uuid", "info"];
    let missing: Vec<_> = wanted.iter().filter(|name| !names.contains(name)).collect();
    holds(missing.is_empty(), || format!("{missing:?} are not in {names:?}"))
}

const NET: &[u8] = b"26:6:status,13:4:what,3:net,}]";

fn net(subject: &Subject) -> Verdict {
    let (_client, message) = subject.ask(&subject.json, "GET /json/control/net", "")?;
    let (columns, rows) = table(subject, NET)?;
    let wanted = ["id", "fd", "type", "last_ping", "last_read", "last_write", "bytes_read", "bytes_written"];
    has_columns(&columns, &wanted)?;
    let id = message.request.id.to_string();
    let row = rows.iter().find(|row| row.first() == Some(&id));
    let row = row.ok_or_else(|| Problem::wrong(format!("connection {id} isn't in {rows:?}")))?;
    equal("`type`", cell(row, 2)?, "1")?;
    equal("that bytes were read", cell(row, 6)? != "0", true)
}

fn tasks(subject: &Subject) -> Verdict {
    let (columns, rows) = table(subject, b"28:6:status,15:4:what,5:tasks,}]")?;
    has_columns(&columns, &["id", "system", "name", "state", "status"])?;
    holds(!rows.is_empty(), || "nothing runs".to_owned())
}

/// A question to kill a connection.
fn killing(id: u64) -> Vec<u8> {
    let id = id.to_string();
    let dict = format!("2:id,{}:{id}#", id.len());
    let list = format!("4:kill,{}:{dict}}}", dict.len());
    format!("{}:{list}]", list.len()).into_bytes()
}

fn kill(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/control/kill", "")?;
    let (columns, rows) = table(subject, &killing(message.request.id))?;
    has_columns(&columns, &["status"])?;
    equal("the status", first(&rows, 0)?, "OK")?;
    let (rest, _) = client.rest()?;
    holds(rest.is_empty(), || format!("`{}` comes before the end", rest.escape_ascii()))?;
    subject.json.disconnect(message.request.id).map(drop)
}

fn kill_missing(subject: &Subject) -> Verdict {
    has_code(subject, &killing(1), "INVALID_ARGUMENT")
}

fn unknown(subject: &Subject) -> Verdict {
    has_code(subject, b"10:4:frob,0:}]", "CALLBACK_NOT_FOUND")
}

fn no_list(subject: &Subject) -> Verdict {
    has_code(subject, b"4:time,", "INVALID_REQUEST")
}

fn garbage(subject: &Subject) -> Verdict {
    for request in [&b"10:4:time,0:}"[..], b"999999999:x", b"0123", b"10:4:time,1:1#]"] {
        has_code(subject, request, "INVALID_DATA").map_err(|problem| problem.when(escaped(request)))?;
    }
    time(subject)
}

fn nul(subject: &Subject) -> Verdict {
    let (_, rows) = table(subject, b"10:4:uuid,0:}]\0")?;
    equal("the UUID", first(&rows, 0)?, UUID)
}

fn words(subject: &Subject) -> Verdict {
    is_now(&json(subject, "time")?["time"].to_string())
}

fn words_net(subject: &Subject) -> Verdict {
    let (_client, message) = subject.ask(&subject.json, "GET /json/control/words", "")?;
    let told = json(subject, "status net")?;
    let id = message.request.id.to_string();
    holds(told.get(&id).is_some(), || format!("`{id}` isn't in {told}"))?;
    holds(told.get("total").is_some_and(serde_json::Value::is_number), || format!("there is no total in {told}"))
}
