//! That nothing is lost on the way.

use super::Plain;
use super::message::Message;
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, same};

/// How many requests are on their way at once.
const MANY: usize = 1000;

const CASES: &[Plain] = &[
    ("first", "The first reply waits until the server can take it.", Subject::first),
    ("order", "1,000 requests that come at once are answered in their order.", order),
    ("restart", "A server that closes its sockets and binds them again is answered again.", restart),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::plain("sockets", "protocol.md, 1", CASES)
}

fn order(subject: &Subject) -> Verdict {
    let bodies: Vec<String> = (0..MANY).map(|number| format!("number {number}")).collect();
    bodies.iter().try_for_each(|body| subject.send(&Message::post("/reply", body)))?;
    bodies.iter().try_for_each(|body| same("the next reply", subject.recv()?.bytes_for(super::message::ID)?, body))
}

fn restart(subject: &Subject) -> Verdict {
    (0..3).try_for_each(|number| {
        subject.restart()?;
        let body = format!("start {number}");
        same("what the client gets", subject.ask(&Message::post("/reply", &body))?, &body)
    })
}
