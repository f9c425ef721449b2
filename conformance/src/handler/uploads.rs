//! Bodies that are longer than a message: written to a file by the server, or passed on piece by piece.

use mongrel2::config::Protocol;
use mongrel2::wire::extended::Extended;

use super::Spoken;
use super::message::Message;
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, equal, same};

const START: &str = "x-mongrel2-upload-start";
const DONE: &str = "x-mongrel2-upload-done";
const STREAM: &str = "UPLOAD_STREAM";
const STREAM_DONE: &str = "UPLOAD_STREAM_DONE";

const CASES: &[Spoken] = &[
    ("file", "An upload that has begun needs no answer; when it is done its file is known.", file),
    ("forged", "A file that nobody has begun to write is not believed.", forged),
    ("pieces", "Each piece but the last is known as one, with its place; the next ones are asked for.", pieces),
    ("single", "A first piece may be the last.", single),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::spoken("uploads", "protocol.md, 3, pieces of an upload; manual.md, uploads", CASES)
}

fn upload(protocol: Protocol) -> Message<'static> {
    Message::of("POST", "/upload", "").with(protocol).header("content-length", "1000000")
}

fn file(subject: &Subject, protocol: Protocol) -> Verdict {
    subject.send(&upload(protocol).header(START, "tmp/upload.a1"))?;
    subject.says_nothing()?;
    let found = subject.ask(&upload(protocol).header(START, "tmp/upload.a1").header(DONE, "tmp/upload.a1"))?;
    same("the file", found, "tmp/upload.a1")
}

fn forged(subject: &Subject, protocol: Protocol) -> Verdict {
    subject.refuses(&upload(protocol).header(DONE, "/etc/passwd"))?;
    subject.refuses(&upload(protocol).header(START, "tmp/upload.a1").header(DONE, "/etc/passwd"))
}

fn pieces(subject: &Subject, protocol: Protocol) -> Verdict {
    let piece = |offset| Message::bare("/upload").with(protocol).server(STREAM, offset);
    let first = upload(protocol).server(STREAM, "0").body("12345");
    for (piece, bytes) in [(first, 5), (piece("5").body("678"), 3)] {
        let wanted = Extended::Control { keep_alive: false, credits: Some(bytes), cancel: false };
        equal("the order", subject.order(&piece)?, wanted)?;
    }
    same("how many bytes there were", subject.ask(&piece("8").server(STREAM_DONE, "1").body("90"))?, "10")
}

fn single(subject: &Subject, protocol: Protocol) -> Verdict {
    let only = upload(protocol).server(STREAM, "0").server(STREAM_DONE, "1").body("12345");
    same("how many bytes there were", subject.ask(&only)?, "5")
}
