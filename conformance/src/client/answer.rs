//! An HTTP answer as a client sees it (RFC 9112).

use crate::check::{Problem, Verdict, equal, escaped};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status line, without its end.
    pub line: String,
    /// The status.
    pub status: u16,
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Whether a client can know that nothing is missing.
    pub is_whole: bool,
}

/// How a body ends (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    Chunked,
    ToTheEnd,
}

impl Answer {
    /// Parses a head, with its empty line.
    pub(super) fn parse(head: &[u8]) -> Verdict<Self> {
        let no_head = || Problem::wrong(format!("`{}` is no head of an answer", escaped(head)));
        let text = std::str::from_utf8(head).map_err(|_| no_head())?;
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
        let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let headers = lines.map(header).collect::<Option<Vec<_>>>().ok_or_else(no_head)?;
        Ok(Self { line, status: status.ok_or_else(no_head)?, headers, body: Vec::new(), is_whole: true })
    }

    /// Takes an answer that is these bytes and tells their length.
    ///
    /// # Errors
    /// It is none, or has another length than it says.
    pub fn of(bytes: &[u8], is_to_head: bool) -> Verdict<Self> {
        let no_end = || Problem::wrong(format!("`{}` has no empty line that ends a head", escaped(bytes)));
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(no_end)? + 4;
        let mut answer = Self::parse(&bytes[..end])?;
        answer.body = bytes[end..].to_vec();
        match answer.length(is_to_head)? {
            Length::Bytes(length) => equal("the length of the body", answer.body.len() as u64, length)?,
            Length::Chunked => return Err(Problem::wrong("a body of one piece is announced as chunked")),
            Length::ToTheEnd => return Err(Problem::wrong("the answer has no Content-Length")),
        }
        Ok(answer)
    }

    /// How its body ends.
    pub(super) fn length(&self, is_to_head: bool) -> Verdict<Length> {
        if is_to_head || matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(Length::Bytes(0));
        }
        if let Some(coding) = self.header("transfer-encoding") {
            return equal("Transfer-Encoding", coding.to_ascii_lowercase().as_str(), "chunked")
                .map(|()| Length::Chunked);
        }
        let Some(length) = self.header("content-length") else { return Ok(Length::ToTheEnd) };
        let length = length.parse().map_err(|_| Problem::wrong(format!("`{length}` is no Content-Length")))?;
        Ok(Length::Bytes(length))
    }

    /// The first value of a header; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// That it is whole, with this status and body.
    ///
    /// # Errors
    /// It isn't.
    pub fn expect(&self, status: u16, body: impl AsRef<[u8]>) -> Verdict {
        equal("the status", self.status, status)?;
        crate::check::same("the body", &self.body, body)?;
        equal("that the answer is whole", self.is_whole, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let check = |head: &str, is_to_head, expected: Option<(u16, Length)>| {
            let answer = Answer::parse(head.as_bytes()).ok();
            let found = answer.and_then(|answer| Some((answer.status, answer.length(is_to_head).ok()?)));
            assert_eq!(found, expected, "{head}");
        };
        check("HTTP/1.1 200 OK\r\n\r\n", false, Some((200, Length::ToTheEnd)));
        check("HTTP/1.1 200 OK\r\nCONTENT-LENGTH:  5\r\n\r\n", false, Some((200, Length::Bytes(5))));
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, Some((200, Length::Bytes(0))));
        check("HTTP/1.0 304 \r\nContent-Length: 5\r\n\r\n", false, Some((304, Length::Bytes(0))));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, Some((200, Length::Chunked)));
        check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, None);
        check("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", false, None);
        check("nonsense\r\n\r\n", false, None);
    }

    #[test]
    fn whole_answers() {
        let check = |bytes: &str, is_to_head, expected: Option<&str>| {
            let body = Answer::of(bytes.as_bytes(), is_to_head).ok().map(|answer| answer.text());
            assert_eq!(body.as_deref(), expected, "{bytes}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, Some("ab"));
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, Some(""));
        check("HTTP/1.1 304 Not Modified\r\n\r\n", false, Some(""));
        check("HTTP/1.1 304 Not Modified\r\n\r\na", false, None);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", false, None);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", false, None);
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, None);
        check("HTTP/1.1 200 OK\r\n\r\nab", false, None);
        check("HTTP/1.1 200 OK\r\n", false, None);
    }
}
