//! JSON and XML sockets, and Flash's request for a policy.

use mongrel2::wire::request::Request;

use super::Row;
use super::handler::Handler;
use super::subject::Subject;
use crate::check::{Verdict, equal, holds, same};
use crate::client::Client;

pub(super) const ROWS: &[Row] = &[
    ("json", "`@name` and what is behind it up to a NUL is a message for that route.", json),
    ("xml", "So is an element `<name`, whole.", xml),
    ("tnetstring", "In tnetstrings too.", tnetstring),
    ("reply", "Replies go out in base64 with a NUL behind them.", reply),
    ("raw", "With `raw_payload` they go out as they are.", raw),
    ("pieces", "Messages may come in pieces, or several at once.", pieces),
    ("unasked", "A handler may send at any time, and often.", unasked),
    ("close", "An empty reply ends the connection, and the handler is told.", close),
    ("disconnect", "A client that says so itself isn't taken for the server.", disconnect),
    ("ping", "A ping to the server is not passed on.", ping),
    ("no-route", "A message without a route ends its connection.", no_route),
    ("longest", "A message may have `limits.content_length` bytes, and not more.", longest),
    ("flash", "Flash's request for a policy is answered.", flash),
];

/// Sends a message, and gives what the handler gets.
fn say(client: &mut Client, handler: &Handler, name: &str, body: &str) -> Verdict<Request> {
    client.send(format!("{name} {body}\0"))?;
    handler
        .take(&format!("message `{body}`"), |request| request.path == name && request.body == body.as_bytes())
        .map(|message| message.request)
}

fn json(subject: &Subject) -> Verdict {
    let request = say(&mut subject.client()?, &subject.json, "@json", r#"{"case":"json","é":[1]}"#)?;
    let wanted = [
        ("PATH", Some("@json")),
        ("METHOD", Some("JSON")),
        ("PATTERN", Some("@json")),
        ("REMOTE_ADDR", Some("127.0.0.1")),
        ("x-forwarded-for", Some("127.0.0.1")),
    ];
    wanted.iter().try_for_each(|(name, value)| equal(format!("`{name}`"), request.header(name), *value))
}

fn xml(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("<xml a=\"1\"><b>é</b></xml>\0")?;
    let request = subject.json.request("<xml")?.request;
    equal("`METHOD`", request.header("METHOD"), Some("XML"))?;
    same("the body", &request.body, "<xml a=\"1\"><b>é</b></xml>")?;
    subject.json.reply(&request, &[request.id], "<ok/>")?;
    client.expect("PG9rLz4=\0")
}

fn tnetstring(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let request = say(&mut client, &subject.tnet, "@tnet", r#"{"case":"tnet"}"#)?;
    equal("`METHOD`", request.header("METHOD"), Some("JSON"))?;
    subject.tnet.reply(&request, &[request.id], "hi")?;
    client.expect("aGk=\0")
}

fn reply(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let request = say(&mut client, &subject.json, "@json", r#"{"case":"reply"}"#)?;
    let bytes: Vec<u8> = (0..=255).collect();
    subject.json.reply(&request, &[request.id], &bytes)?;
    let text = client.until(0)?;
    equal("the length of 256 bytes in base64", text.len(), 344)?;
    let is_base64 = text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
    holds(is_base64, || format!("`{}` is no base64", text.escape_ascii()))?;
    same("the beginning", &text[..12], "AAECAwQFBgcI")?;
    same("the end", &text[332..], "+fr7/P3+/w==")
}

fn raw(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let request = say(&mut client, &subject.raw, "@raw", r#"{"case":"raw"}"#)?;
    subject.raw.reply(&request, &[request.id], b"{}\0\xff{}")?;
    client.expect(b"{}\0\xff{}")
}

fn pieces(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let gets = |body: &str| subject.json.take(&format!("message `{body}`"), |request| request.body == body.as_bytes());
    for piece in ["@js", "on {\"n\":", "1}", "\0"] {
        client.send(piece)?;
    }
    let first = gets("{\"n\":1}")?.request.id;
    client.send("@json {\"n\":2}\0@json {\"n\":3}\0@js")?;
    equal("the id of the second", gets("{\"n\":2}")?.request.id, first)?;
    equal("the id of the third", gets("{\"n\":3}")?.request.id, first)?;
    client.send("on {\"n\":4}\0")?;
    equal("the id of the fourth", gets("{\"n\":4}")?.request.id, first)
}

fn unasked(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let request = say(&mut client, &subject.json, "@json", r#"{"case":"unasked"}"#)?;
    for _ in 0..3 {
        subject.json.reply(&request, &[request.id], "one")?;
    }
    client.expect("b25l\0b25l\0b25l\0")
}

fn close(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let request = say(&mut client, &subject.json, "@json", r#"{"case":"close"}"#)?;
    subject.json.reply(&request, &[request.id], "one")?;
    subject.json.reply(&request, &[request.id], "")?;
    client.expect("b25l\0")?;
    client.is_closed()?;
    subject.json.disconnect(request.id).map(drop)
}

fn disconnect(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let request = say(&mut client, &subject.json, "@json", r#"{"type":"disconnect"}"#)?;
    equal("that it looks like the server's", request.is_disconnect(), false)?;
    let mut other = subject.client()?;
    other.send("@* {\"type\":\"disconnect\"}\0")?;
    other.is_closed()?;
    let last = say(&mut client, &subject.json, "@json", r#"{"case":"disconnect"}"#)?;
    subject.json.has_none("notices", |request| request.id == last.id && request.is_disconnect())
}

fn ping(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("@* {\"type\":\"ping\"}\0")?;
    let request = say(&mut client, &subject.json, "@json", r#"{"case":"ping"}"#)?;
    subject.json.has_none("pings", |ping| ping.id == request.id)
}

fn no_route(subject: &Subject) -> Verdict {
    for message in ["@nobody {}\0", "<nobody/>\0"] {
        let mut client = subject.client()?;
        client.send(message)?;
        client.is_closed().map_err(|problem| problem.when(message.escape_debug()))?;
    }
    Ok(())
}

fn longest(subject: &Subject) -> Verdict {
    let long = "x".repeat(20_480 - "@json \0".len());
    say(&mut subject.client()?, &subject.json, "@json", &long)?;
    let mut client = subject.client()?;
    // It may be closed before all is sent.
    let _ = client.send(format!("@json {long}{long}\0"));
    let (rest, _) = client.rest()?;
    same("what comes before the end", rest, "")
}

fn flash(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("<policy-file-request/>\0")?;
    let (policy, _) = client.rest()?;
    let text = String::from_utf8_lossy(&policy);
    holds(text.contains("<cross-domain-policy>") && text.contains("<allow-access-from"), || {
        format!("`{text}` is no policy")
    })
}
