//! Bytes for the client that has asked, and the end of its connection.

use super::message::Message;
use super::subject::Subject;
use super::{BYTES, Plain};
use crate::case::Case;
use crate::check::{Verdict, same};

/// A body that takes a while.
const LARGE: usize = 10 * 1024 * 1024;

const CASES: &[Plain] = &[
    ("bytes", "All bytes are sent as they are.", |subject| echoes(subject, &BYTES)),
    ("text", "Text is sent as its UTF-8.", |subject| echoes(subject, "grün, 緑, 🟢\n".as_bytes())),
    ("large", "A body of 10 MiB comes and is sent, whole.", |subject| echoes(subject, &large())),
    ("id", "An id may have 64 bits.", id),
    ("close", "`close` sends no bytes, which closes the connection.", close),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::plain("reply", "protocol.md, 5", CASES)
}

/// Bytes without a period that anybody cuts by.
pub(super) fn large() -> Vec<u8> {
    (0_usize..).map(|index| (index % 251) as u8).take(LARGE).collect()
}

fn echoes(subject: &Subject, body: &[u8]) -> Verdict {
    same("what the client gets", subject.ask(&Message::post("/reply", body))?, body)
}

fn id(subject: &Subject) -> Verdict {
    [0, 523_456_789, u64::MAX].into_iter().try_for_each(|id| {
        let found = subject.ask(&Message::post("/reply", "x").id(id)).map_err(|problem| problem.when(id))?;
        same("what the client gets", found, "x")
    })
}

fn close(subject: &Subject) -> Verdict {
    same("what the client gets", subject.ask(&Message::get("/close"))?, "")
}
