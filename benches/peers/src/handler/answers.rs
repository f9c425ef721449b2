//! What the handler answers, by the last word of the path.
//!
//! | word | answer |
//! | --- | --- |
//! | `answer` | 13 bytes |
//! | `echo` | the body |
//! | `park` | none, ever |
//! | `parked` | how many were parked |
//! | `stream` | a head, and a piece in each round from then on |
//! | `round` | 13 bytes, and then a piece for every stream |
//! | `socket` | the WebSocket handshake, and each message as it came |
//! | `upload` | the size of the file that the server has made; the file is removed |

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::handler::message::{Request, frame};

/// The answer of 13 bytes.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";

/// The beginning of an answer that has no end.
pub(crate) const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// The answer to a WebSocket handshake, but for the value of its last header.
pub(crate) const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

/// How many bytes a stream gets in a round.
pub(crate) const PIECE: usize = 1024;

/// How many connections one message is for: `limits.handler_targets`.
const TARGETS: usize = 128;

const REFUSAL: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What the handler has to remember.
#[derive(Debug)]
pub(super) struct Answers {
    /// The server's chroot.
    folder: PathBuf,
    parked: u64,
    /// The ids of the streams, as many together as a message is for, with blanks between them.
    streams: Vec<Vec<u8>>,
    /// How many streams the last of them has.
    last: usize,
    out: Vec<u8>,
}

impl Answers {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, parked: 0, streams: Vec::new(), last: TARGETS, out: Vec::new() }
    }

    /// Sends what a request is answered with; a notice, or what isn't understood, gets nothing.
    pub(super) fn answer<E>(
        &mut self,
        request: &Request<'_>,
        mut send: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let out = &mut self.out;
        request.reply_to(out, request.id);
        match request.last_word() {
            b"answer" => out.extend_from_slice(ANSWER),
            b"echo" => body(out, request.body),
            b"park" => {
                self.parked += 1;
                return Ok(());
            }
            b"parked" => body(out, self.parked.to_string().as_bytes()),
            b"stream" => {
                out.extend_from_slice(STREAM);
                self.join(request.id);
            }
            b"round" => {
                out.extend_from_slice(ANSWER);
                send(out)?;
                return self.round(request, send);
            }
            b"socket" => socket(out, request),
            b"upload" => match uploaded(request, &self.folder) {
                Some(size) => body(out, size.to_string().as_bytes()),
                None => return Ok(()),
            },
            _ => return Ok(()),
        }
        send(&self.out)
    }

    fn join(&mut self, id: &[u8]) {
        if self.last == TARGETS {
            self.streams.push(id.to_vec());
            self.last = 1;
        } else if let Some(ids) = self.streams.last_mut() {
            ids.push(b' ');
            ids.extend_from_slice(id);
            self.last += 1;
        }
    }

    fn round<E>(&mut self, request: &Request<'_>, mut send: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.streams.iter().try_for_each(|ids| {
            request.reply_to(&mut self.out, ids);
            self.out.resize(self.out.len() + PIECE, b'x');
            send(&self.out)
        })
    }
}

/// Appends a whole answer.
fn body(out: &mut Vec<u8>, body: &[u8]) {
    // A Vec takes everything.
    let _ = write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
}

/// Appends the answer to a WebSocket message, or to the handshake; a server that has no WebSocket gets a refusal.
fn socket(out: &mut Vec<u8>, request: &Request<'_>) {
    match request.behind(b"\"METHOD\":\"") {
        Some(b"WEBSOCKET") => frame(out, flags(request).unwrap_or(0x81), request.body),
        Some(b"WEBSOCKET_HANDSHAKE") => {
            out.extend_from_slice(SWITCH);
            out.extend_from_slice(request.body);
            out.extend_from_slice(b"\r\n\r\n");
        }
        _ => out.extend_from_slice(REFUSAL),
    }
}

/// The first byte of a WebSocket message, from `0x81`.
fn flags(request: &Request<'_>) -> Option<u8> {
    let digits = std::str::from_utf8(request.behind(b"\"FLAGS\":\"0x")?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

/// The size of an uploaded file, which it removes; `None` as long as the upload isn't done.
fn uploaded(request: &Request<'_>, folder: &Path) -> Option<u64> {
    let path = std::str::from_utf8(request.behind(b"\"x-mongrel2-upload-done\":\"")?).ok()?;
    // Where the server's paths begin is its chroot, whether or not it had the rights to go there.
    let file = folder.join(path.trim_start_matches('/'));
    let size = fs::metadata(&file).map_or(0, |metadata| metadata.len());
    // If it is missing, its size says so.
    let _ = fs::remove_file(file);
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(answers: &mut Answers, path: &str, headers: &str, body: &str) -> Vec<String> {
        let message = format!("uuid 7 /handler/{path} {}:{headers},{}:{body},", headers.len(), body.len());
        let mut replies = Vec::new();
        let sent: Result<(), ()> = answers.answer(&Request::parse(message.as_bytes()).unwrap(), |reply| {
            replies.push(String::from_utf8_lossy(reply).into_owned());
            Ok(())
        });
        assert_eq!(sent, Ok(()));
        replies
    }

    #[test]
    fn each_word_has_its_answer() {
        let mut answers = Answers::new(PathBuf::from("/nowhere"));
        let ok = |body: &str| format!("uuid 1:7, HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let handshake = r#"{"METHOD":"WEBSOCKET_HANDSHAKE"}"#;
        let cases = [
            ("answer", "{}", "", ok("Hello, World!")),
            ("echo", "{}", "hi", ok("hi")),
            ("parked", "{}", "", ok("0")),
            ("socket", r#"{"METHOD":"WEBSOCKET","FLAGS":"0x1"}"#, "hi", "uuid 1:7, \x01\x02hi".into()),
            ("upload", r#"{"x-mongrel2-upload-done":"/tmp/x"}"#, "", ok("0")),
        ];
        for (path, headers, body, wanted) in cases {
            assert_eq!(replies(&mut answers, path, headers, body), [wanted], "{path}");
        }
        assert!(replies(&mut answers, "socket", handshake, "abc=")[0].ends_with("-Accept: abc=\r\n\r\n"));
        assert!(replies(&mut answers, "socket", r#"{"METHOD":"GET"}"#, "")[0].contains(" 500 "));
        assert!(replies(&mut answers, "upload", r#"{"x-mongrel2-upload-start":"/tmp/x"}"#, "").is_empty());
        assert!(replies(&mut answers, "@*", "{}", "").is_empty());
        assert!(replies(&mut answers, "park", "{}", "").is_empty());
        assert_eq!(replies(&mut answers, "parked", "{}", ""), [ok("1")]);
    }

    #[test]
    fn a_round_has_a_piece_for_every_stream() {
        let mut answers = Answers::new(PathBuf::from("/nowhere"));
        for _ in 0..=TARGETS {
            assert!(replies(&mut answers, "stream", "{}", "")[0].ends_with("\r\n\r\n"));
        }
        let sent = replies(&mut answers, "round", "{}", "");
        let sizes: Vec<usize> = sent.iter().map(String::len).collect();
        assert_eq!(sizes, [10 + ANSWER.len(), 5 + 4 + 2 * TARGETS - 1 + 2 + PIECE, 10 + PIECE]);
    }
}
