//! HTTP/1.1 responses as bytes (RFC 9112), from parts that are checked first.  Pure.

use std::io::Write;

use super::error::ResponseError;

/// Renders head and body; responses that have no body by their status get none.
///
/// # Errors
/// What can't be sent as it is meant.
pub(super) fn render(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, ResponseError> {
    let mut out = head(status, headers, body.len())?;
    if has_body(status) {
        out.extend_from_slice(body);
    }
    Ok(out)
}

/// Renders the head of a response whose body has `length` bytes.
///
/// # Errors
/// What can't be sent as it is meant.
pub(super) fn head(status: u16, headers: &[(&str, &str)], length: usize) -> Result<Vec<u8>, ResponseError> {
    if !(100..1000).contains(&status) {
        return Err(ResponseError::Status(status));
    }
    let mut out = Vec::with_capacity(256 + length);
    line(&mut out, format_args!("HTTP/1.1 {status} {}", reason(status)));
    for (name, value) in headers {
        check(name, value)?;
        line(&mut out, format_args!("{name}: {value}"));
    }
    if has_body(status) {
        line(&mut out, format_args!("Content-Length: {length}"));
    }
    line(&mut out, format_args!(""));
    Ok(out)
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    write!(out, "{text}\r\n").expect("a vector takes all that is written to it");
}

/// RFC 9110, section 6.4.1.
fn has_body(status: u16) -> bool {
    !matches!(status, 100..200 | 204 | 304)
}

fn check(name: &str, value: &str) -> Result<(), ResponseError> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(ResponseError::Name(name.to_owned()));
    }
    if value.chars().any(|char| char.is_control() && char != '\t') {
        return Err(ResponseError::Value(name.to_owned()));
    }
    if ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        return Err(ResponseError::Framing(name.to_owned()));
    }
    Ok(())
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110, section 15; a status without a phrase is valid too.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, headers: &[(&str, &str)], expected: &str) {
        let response = render(status, headers, b"hello").unwrap();
        assert_eq!(response.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
    }

    #[test]
    fn shapes() {
        check(200, &[], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        check(
            404,
            &[("Content-Type", "text/plain"), ("X-Place", "Gr\u{fc}n\tHof")],
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nX-Place: Gr\u{fc}n\tHof\r\nContent-Length: 5\r\n\r\nhello",
        );
        check(299, &[], "HTTP/1.1 299 \r\nContent-Length: 5\r\n\r\nhello");
        check(204, &[], "HTTP/1.1 204 No Content\r\n\r\n");
        check(304, &[("ETag", "\"a\"")], "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
        assert_eq!(head(200, &[], 5).unwrap(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    }

    #[test]
    fn faults() {
        for (status, name, value, expected) in [
            (20, "A", "a", ResponseError::Status(20)),
            (1000, "A", "a", ResponseError::Status(1000)),
            (200, "", "a", ResponseError::Name(String::new())),
            (200, "A: b\r\nC", "a", ResponseError::Name("A: b\r\nC".into())),
            (200, "Gr\u{fc}n", "a", ResponseError::Name("Gr\u{fc}n".into())),
            (200, "A", "a\r\nSet-Cookie: evil", ResponseError::Value("A".into())),
            (200, "A", "a\nb", ResponseError::Value("A".into())),
            (200, "A", "a\rb", ResponseError::Value("A".into())),
            (200, "A", "a\0b", ResponseError::Value("A".into())),
            (200, "content-Length", "7", ResponseError::Framing("content-Length".into())),
            (200, "Transfer-Encoding", "chunked", ResponseError::Framing("Transfer-Encoding".into())),
        ] {
            assert_eq!(render(status, &[(name, value)], b""), Err(expected), "{status} {name:?} {value:?}");
        }
    }
}
