//! What a server is told to do, by extended replies, which are judged by what they mean.

use mongrel2::wire::extended::Extended;

use super::Plain;
use super::message::Message;
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, equal};

const CASES: &[Plain] = &[
    ("keep-alive", "The connection is alive.", keep_alive),
    ("credits", "So many more bytes may come.", credits),
    ("cancel", "The connection is to be dropped.", cancel),
    ("sendfile", "A file is to be sent, whatever bytes its name has.", sendfile),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::plain("extended", "protocol.md, 5, extended replies", CASES)
}

fn keep_alive(subject: &Subject) -> Verdict {
    let wanted = Extended::Control { keep_alive: true, credits: None, cancel: false };
    equal("the order", subject.order(&Message::get("/keep-alive"))?, wanted)
}

fn credits(subject: &Subject) -> Verdict {
    ["0", "4096", "1073741824"].into_iter().try_for_each(|count| {
        let wanted = Extended::Control { keep_alive: false, credits: count.parse().ok(), cancel: false };
        equal("the order", subject.order(&Message::post("/credits", count))?, wanted)
    })
}

fn cancel(subject: &Subject) -> Verdict {
    let wanted = Extended::Control { keep_alive: false, credits: None, cancel: true };
    equal("the order", subject.order(&Message::get("/cancel"))?, wanted)
}

fn sendfile(subject: &Subject) -> Verdict {
    ["film.mp4", "a b/grün 緑.txt", "it's [1:2,]"].into_iter().try_for_each(|path| {
        equal("the order", subject.order(&Message::post("/sendfile", path))?, Extended::SendFile(path.into()))
    })
}
