//! `Strict-Transport-Security` (RFC 6797): that a host is to be asked over TLS only.
//!
//! Pure.  The server's own answers get it with their other headers; into those that come as bytes it is put here.

use memchr::memchr;

pub(super) const NAME: &str = "Strict-Transport-Security";

/// Its value.
pub(super) fn value(seconds: u32) -> String {
    format!("max-age={seconds}")
}

/// The whole line, with its end; nothing if it isn't said.
pub(super) fn line(seconds: u32) -> String {
    if seconds == 0 { String::new() } else { format!("{NAME}: {}\r\n", value(seconds)) }
}

/// Where in an answer the line has to go, behind the status line of the final head (RFC 9110, section 15).
///
/// `None` if that head isn't there whole, has such a line already, or is that of another protocol (101).
pub(super) fn place(answer: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let head = &answer[start..];
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = response.parse(head) else { return None };
        match response.code? {
            101 => return None,
            100..=199 => start += length,
            _ if response.headers.iter().any(|header| header.name.eq_ignore_ascii_case(NAME)) => return None,
            // Empty lines may come before it.
            _ => {
                let first = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
                return Some(start + first + memchr(b'\n', &head[first..])? + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_status_line_of_the_final_head() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", Some("A: b\r\n\r\nbody")),
            ("HTTP/1.1 200 OK\r\n\r\n", Some("\r\n")),
            ("HTTP/1.0 404 Not Found\nA: b\n\n", Some("A: b\n\n")),
            ("\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", Some("A: b\r\n\r\n")),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", Some("A: b\r\n\r\n")),
            ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", None),
            ("HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=0\r\n\r\n", None),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n\u{1}\u{2}", None),
            ("ICY 200 OK\r\n\r\nmusic", None),
            ("", None),
        ] {
            let place = place(answer.as_bytes());
            assert_eq!(place.map(|at| &answer[at..]), expected, "{answer:?}");
        }
    }

    #[test]
    fn lines() {
        assert_eq!((line(0), line(60)), (String::new(), "Strict-Transport-Security: max-age=60\r\n".into()));
    }
}
