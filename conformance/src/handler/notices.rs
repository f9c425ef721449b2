//! What the server itself has to say, which the handler tells the connection whose id is higher by one.

use mongrel2::config::Protocol;
use mongrel2::wire::request::{render_credits, render_disconnect};
use serde_json::{Value, json};

use super::Spoken;
use super::message::{ID, Message, UUID, json as parsed};
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, equal, same};

const CASES: &[Spoken] = &[
    ("disconnect", "The handler knows that a connection is gone.", disconnect),
    ("credits", "The handler knows how many bytes were written to a client.", credits),
    ("claimed", "A client that says the same is not taken for the server.", claimed),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::spoken("notices", "protocol.md, 4", CASES)
}

fn told(subject: &Subject, notice: &[u8], wanted: &Value) -> Verdict {
    subject.send_raw(notice)?;
    let found = subject.recv()?.bytes_for(ID + 1)?;
    equal("what the other connection is told", &parsed(&found)?, wanted)
}

fn disconnect(subject: &Subject, protocol: Protocol) -> Verdict {
    told(subject, &render_disconnect(protocol, UUID, ID), &json!({"type": "disconnect"}))
}

fn credits(subject: &Subject, protocol: Protocol) -> Verdict {
    told(subject, &render_credits(protocol, UUID, ID, 43), &json!({"type": "credits", "bytes": 43}))
}

fn claimed(subject: &Subject, protocol: Protocol) -> Verdict {
    for claim in [r#"{"type":"disconnect"}"#, r#"{"type":"credits"}"#] {
        let found = subject.ask(&Message::of("JSON", "@json", claim).with(protocol))?;
        equal("what the client gets", parsed(&found)?, parsed(claim.as_bytes())?)?;
        let request = Message::post("/reply", claim).with(protocol).header("method", "JSON").header("path", "@*");
        same("what the client gets", subject.ask(&request)?, claim)?;
    }
    Ok(())
}
