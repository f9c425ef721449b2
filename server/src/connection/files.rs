//! Files on their way to the client: whole, in parts, or not at all (RFC 9110, sections 13 and 14).

use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::answer::Answer;
use super::request::Request;
use super::{Connection, Outcome};
use crate::site::Site;
use crate::target::directory::cache::Lookup;
use crate::target::directory::conditions::{Conditions, Verdict};
use crate::target::directory::encoding::Accepted;
use crate::target::directory::listing::{self, Entry};
use crate::target::directory::range::{self, Wanted};
use crate::target::directory::served::{Body, Served};
use crate::target::directory::{Directory, Found};

impl Connection {
    /// Answers from a directory; `rest` is the path behind the route's prefix.
    pub(super) async fn file(
        &mut self,
        request: &Request,
        site: &Site,
        directory: &Arc<Directory>,
        rest: &[u8],
    ) -> Outcome {
        match request.method() {
            b"GET" | b"HEAD" => {}
            b"OPTIONS" => return self.options(request).await,
            _ => return self.error(request, 405).await,
        }
        let accepted = Accepted::parse(request.header("accept-encoding"));
        let mimetype = |extension: &str| site.mimetype(extension).map(str::to_owned);
        let limit = site.settings.file_cache;
        match self.worker.files().find(directory, rest, accepted, limit, mimetype) {
            Ok(Lookup::Served(served)) => self.answer_with(request, &served).await,
            Ok(Lookup::Not(Found::Slash)) => self.redirect_to_slash(request).await,
            Ok(Lookup::Not(Found::Forbidden)) => self.error(request, 403).await,
            Ok(Lookup::Not(Found::Malformed)) => self.error(request, 400).await,
            Ok(Lookup::Not(Found::Folder(entries))) => self.listing(request, &entries).await,
            Ok(Lookup::Not(Found::Nothing | Found::File(_))) => self.error(request, 404).await,
            Err(error) => {
                tracing::error!("cannot serve `{}`: {error}", request.path().escape_ascii());
                self.error(request, 500).await
            }
        }
    }

    async fn listing(&mut self, request: &Request, entries: &[Entry]) -> Outcome {
        let page = listing::render(&String::from_utf8_lossy(request.path()), entries);
        let answer = self.answer(200).header("Content-Type", "text/html").header("Content-Length", page.len());
        self.send(request.manner(), answer, page.as_bytes()).await
    }

    async fn answer_with(&mut self, request: &Request, served: &Served) -> Outcome {
        match Conditions::read(request.headers()).evaluate(served.to_validators()) {
            Verdict::Failed => self.error(request, 412).await,
            Verdict::NotModified => {
                let answer = self.answer(304).lines(&served.validators);
                self.send(request.manner(), answer, b"").await
            }
            // A Range counts for GET only.
            Verdict::Send { ranges } if ranges && !request.is_head() => {
                match range::parse(request.header("range"), served.size) {
                    Wanted::Whole => self.whole(request, served).await,
                    Wanted::Nothing => self.out_of_range(request, served.size).await,
                    Wanted::Parts(parts) => match &parts[..] {
                        [part] => self.part(request, served, part.clone()).await,
                        parts => self.parts(request, served, parts).await,
                    },
                }
            }
            Verdict::Send { .. } => self.whole(request, served).await,
        }
    }

    async fn whole(&mut self, request: &Request, served: &Served) -> Outcome {
        let answer = self.answer(200).lines(&served.whole);
        if request.is_head() {
            return self.send(request.manner(), answer, b"").await;
        }
        let head = answer.finish(request.persistence());
        let sent = self.send_piece(&head, served, 0..served.size).await;
        outcome(request, 200, served.size, sent)
    }

    async fn part(&mut self, request: &Request, served: &Served, part: Range<u64>) -> Outcome {
        let length = part.end - part.start;
        let answer = self.about(206, served).header("Content-Type", &served.mimetype);
        let answer = answer.header("Content-Range", content_range(&part, served.size));
        let head = answer.header("Content-Length", length).finish(request.persistence());
        let sent = self.send_piece(&head, served, part).await;
        outcome(request, 206, length, sent)
    }

    /// Several parts as `multipart/byteranges` (RFC 9110, section 14.6).
    async fn parts(&mut self, request: &Request, served: &Served, parts: &[Range<u64>]) -> Outcome {
        let boundary = boundary();
        let headers: Vec<String> = parts.iter().map(|part| part_header(&boundary, served, part)).collect();
        let end = format!("\r\n--{boundary}--\r\n");
        let framing = headers.iter().map(String::len).sum::<usize>() + end.len();
        let length = framing as u64 + parts.iter().map(|part| part.end - part.start).sum::<u64>();
        let answer = self.about(206, served).header("Content-Length", length);
        let answer = answer.header("Content-Type", format_args!("multipart/byteranges; boundary={boundary}"));
        let mut head = answer.finish(request.persistence());
        let mut sent = Ok(());
        for (header, part) in headers.into_iter().zip(parts) {
            head.extend_from_slice(header.as_bytes());
            if sent.is_ok() {
                sent = self.send_piece(&head, served, part.clone()).await;
            }
            head.clear();
        }
        if sent.is_ok() {
            sent = self.stream.write_all(end.as_bytes()).await;
        }
        outcome(request, 206, length, sent)
    }

    async fn out_of_range(&mut self, request: &Request, size: u64) -> Outcome {
        let answer = self.answer(416).header("Content-Range", format_args!("bytes */{size}"));
        let site = self.worker.site();
        self.send_page(request.manner(), answer, site.host(request.host())).await
    }

    /// The head of an answer that has the file, or a part of it, in it.
    fn about(&self, status: u16, served: &Served) -> Answer {
        self.answer(status).lines(&served.validators).lines(&served.entity)
    }

    /// Writes `head` and then a part of a file.
    async fn send_piece(&mut self, head: &[u8], served: &Served, part: Range<u64>) -> io::Result<()> {
        match &served.body {
            Body::Disk(file) => self.stream.write_and_send_file(head, file, part).await,
            Body::Memory(bytes) => {
                let within = |at: u64| usize::try_from(at).expect("a part lies within the file");
                self.stream.write_both(head, &bytes[within(part.start)..within(part.end)]).await
            }
        }
    }
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}

fn part_header(boundary: &str, served: &Served, part: &Range<u64>) -> String {
    let mut header = format!("\r\n--{boundary}\r\nContent-Type: {}\r\n", served.mimetype);
    write!(header, "Content-Range: {}\r\n\r\n", content_range(part, served.size)).expect("a String takes everything");
    header
}

/// A line that nobody can have put into a file.
fn boundary() -> String {
    format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1))
}

fn outcome(request: &Request, status: u16, bytes: u64, sent: io::Result<()>) -> Outcome {
    match sent {
        Ok(()) => Outcome::new(status, bytes, request.head.keep_alive),
        Err(error) => {
            // The client left, or the file became shorter; either way the promised length can't be kept.
            tracing::debug!("cannot send `{}`: {error}", request.path().escape_ascii());
            Outcome::new(status, 0, false)
        }
    }
}
