//! Answers that the server itself makes: their heads, and the small pages of its errors.
//!
//! Pure: bytes come out, the connection writes them.  Nothing here tells a client about the inside.

use std::fmt::Write;

use http::StatusCode;

/// The head of an answer while it is being written.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The bytes so far; the last line is complete.
    head: String,
}

impl Answer {
    /// Starts with the status line and `Date` (RFC 9110, section 6.6.1).
    pub(crate) fn new(status: u16, date: &str) -> Self {
        let mut head = String::with_capacity(512);
        match status {
            200 => head.push_str("HTTP/1.1 200 OK\r\nDate: "),
            _ => write!(head, "HTTP/1.1 {status} {}\r\nDate: ", reason(status)).expect("a String takes everything"),
        }
        head.push_str(date);
        head.push_str("\r\n");
        Self { status, head }
    }

    /// Adds a header; the value must have no line ends.
    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        write!(self.head, "{name}: {value}\r\n").expect("a String takes everything");
        self
    }

    /// Adds whole header lines, with their line ends.
    pub(crate) fn lines(mut self, lines: &str) -> Self {
        self.head.push_str(lines);
        self
    }

    /// Ends the head.  A connection that stays open in HTTP/1.0, or closes in HTTP/1.1, has to say so.
    pub(crate) fn finish(mut self, persistence: Persistence) -> Vec<u8> {
        self.head.push_str(match persistence {
            Persistence::Close => "Connection: close\r\n\r\n",
            Persistence::KeepAlive => "\r\n",
            Persistence::KeepAliveSaid => "Connection: keep-alive\r\n\r\n",
        });
        self.head.into_bytes()
    }
}

/// What becomes of the connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    Close,
    KeepAlive,
    /// As a client of HTTP/1.0 needs it.
    KeepAliveSaid,
}

/// The page of an error.
pub(crate) fn error_page(status: u16) -> String {
    let title = format!("{status} {}", reason(status));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1></body></html>\n"
    )
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let answer = Answer::new(404, "Sun, 06 Nov 1994 08:49:37 GMT").header("Content-Length", 3);
        assert_eq!(
            String::from_utf8(answer.finish(Persistence::Close)).unwrap(),
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        );
        assert!(error_page(503).contains("<title>503 Service Unavailable</title>"));
    }
}
