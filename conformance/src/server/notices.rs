//! What the server tells handlers by itself: that connections are gone.

use super::Row;
use super::handler::Handler;
use super::subject::Subject;
use crate::check::{Verdict, equal, same};

pub(super) const ROWS: &[Row] = &[
    ("json", "The notice that a connection is gone has these bytes in JSON.", json),
    ("tnetstring", "And these in a tnetstring.", tnetstring),
    ("answered", "It comes for connections that were answered too.", answered),
    ("once", "It comes once, however often a handler has seen the connection.", once),
    ("closed", "It comes for a connection that the handler closes.", closed),
    ("unseen", "It doesn't come to handlers that have not seen the connection.", unseen),
    ("all", "It comes to each handler that has seen the connection.", all),
    ("dead", "A reply for an id that is gone is answered with it, once.", dead),
    ("unknown", "So is one for an id that never was.", unknown),
    ("half", "A client that has only finished sending is not gone, and gets its answer.", half),
];

/// The message as it has to be.
fn is_exact(handler: &Handler, id: u64, sender: &str, rest: &str) -> Verdict {
    let notice = handler.disconnect(id)?;
    same("the notice", &notice.raw, format!("{sender} {id} @* {rest}"))
}

const JSON: &str = r#"17:{"METHOD":"JSON"},21:{"type":"disconnect"},"#;
const TNETSTRING: &str = r#"16:6:METHOD,4:JSON,}21:{"type":"disconnect"},"#;

fn json(subject: &Subject) -> Verdict {
    let (client, message) = subject.ask(&subject.json, "GET /json/notice", "")?;
    drop(client);
    is_exact(&subject.json, message.request.id, "json", JSON)
}

fn tnetstring(subject: &Subject) -> Verdict {
    let (client, message) = subject.ask(&subject.tnet, "GET /tnet/notice", "")?;
    drop(client);
    is_exact(&subject.tnet, message.request.id, "tnet", TNETSTRING)
}

fn answered(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/answered", "")?;
    subject.json.answer(&message.request, "hello")?;
    client.answer(false)?.expect(200, "hello")?;
    drop(client);
    subject.json.disconnect(message.request.id).map(drop)
}

/// That there is none about that connection among all that was sent up to now.
fn no_more(subject: &Subject, handler: &Handler, id: u64, path: &str) -> Verdict {
    let (client, last) = subject.ask(handler, &format!("GET {path}"), "")?;
    drop(client);
    handler.disconnect(last.request.id)?;
    handler.has_none(&format!("notices about {id}"), |request| request.id == id && request.is_disconnect())
}

fn once(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let mut id = 0;
    for path in ["/json/once/1", "/json/once/2", "/json/once/3"] {
        client.get(&format!("GET {path}"))?;
        let request = subject.json.request(path)?.request;
        subject.json.answer(&request, "")?;
        client.answer(false)?.expect(200, "")?;
        id = request.id;
    }
    drop(client);
    subject.json.disconnect(id)?;
    no_more(subject, &subject.json, id, "/json/once/last")
}

fn closed(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/closed", "")?;
    subject.json.reply(&message.request, &[message.request.id], "")?;
    client.is_closed()?;
    subject.json.disconnect(message.request.id).map(drop)
}

fn unseen(subject: &Subject) -> Verdict {
    let (client, message) = subject.ask(&subject.json, "GET /json/unseen", "")?;
    drop(client);
    subject.json.disconnect(message.request.id)?;
    no_more(subject, &subject.tnet, message.request.id, "/tnet/unseen")
}

fn all(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let mut ids = Vec::new();
    for (handler, path) in [(&subject.json, "/json/all"), (&subject.tnet, "/tnet/all")] {
        client.get(&format!("GET {path}"))?;
        let request = handler.request(path)?.request;
        handler.answer(&request, "")?;
        client.answer(false)?.expect(200, "")?;
        ids.push(request.id);
    }
    equal("the id at the second handler", ids[1], ids[0])?;
    drop(client);
    subject.json.disconnect(ids[0])?;
    subject.tnet.disconnect(ids[0]).map(drop)
}

fn dead(subject: &Subject) -> Verdict {
    let (client, message) = subject.ask(&subject.json, "GET /json/dead", "")?;
    drop(client);
    let id = message.request.id;
    subject.json.disconnect(id)?;
    for _ in 0..3 {
        subject.json.reply(&message.request, &[id], "anybody there?")?;
    }
    no_more(subject, &subject.json, id, "/json/dead/last")
}

fn unknown(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/unknown", "")?;
    // Ids count up: this one comes much later, if ever.
    let id = message.request.id + 100_000_000;
    subject.json.reply(&message.request, &[id], "anybody there?")?;
    subject.json.disconnect(id)?;
    for _ in 0..3 {
        subject.json.reply(&message.request, &[id], "anybody there?")?;
    }
    subject.json.answer(&message.request, "")?;
    client.answer(false)?.expect(200, "")?;
    no_more(subject, &subject.json, id, "/json/unknown/last")
}

fn half(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.get("GET /json/half")?;
    client.finish()?;
    let request = subject.json.request("/json/half")?.request;
    subject.json.answer(&request, "still here")?;
    let mut answer = client.answer(false)?;
    // Some servers ask the client with an interim answer whether it is there.
    if answer.status == 100 {
        answer = client.answer(false)?;
    }
    answer.expect(200, "still here")
}
