//! The target of a request in its four forms (RFC 9112, section 3.2).

use super::bad::BadHead;
use super::host;

/// A request target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Host and port, where the target names them.
    pub(super) authority: Option<Authority<'a>>,
    /// The path, or `*` for the server as a whole.
    pub(super) path: &'a [u8],
    /// The query without its `?`.
    pub(super) query: Option<&'a [u8]>,
}

/// Host and port of the absolute form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// As it stands in the target.
    pub(super) whole: &'a [u8],
    /// Without its port.
    pub(super) host: &'a [u8],
}

impl<'a> Target<'a> {
    /// Reads a target; `longest` bounds its path.
    ///
    /// Accepted are the origin form, the absolute form with `http` or `https`, and the asterisk with OPTIONS.
    /// The authority form belongs to CONNECT, which isn't served.
    ///
    /// # Errors
    /// What is wrong with the target.
    pub(super) fn parse(method: &[u8], target: &'a [u8], longest: usize) -> Result<Self, BadHead> {
        match (method, target) {
            (b"CONNECT", _) => Err(connect(target)),
            (_, [b'/', ..]) => origin(target, longest),
            (b"OPTIONS", b"*") => Ok(Self { authority: None, path: target, query: None }),
            _ => absolute(target, longest),
        }
    }

    /// Whether the target needs no host: it names one, or means the server as a whole.
    pub(super) fn is_hostless(&self) -> bool {
        self.authority.is_some() || self.path == b"*"
    }
}

fn connect(target: &[u8]) -> BadHead {
    let has_port = host::name(target).is_some_and(|name| target.len() > name.len() + 1);
    if has_port { BadHead::Connect } else { BadHead::Target }
}

/// `http://host:port/path?query`: its host counts, not the one of the Host header (section 3.2.2).
///
/// User information is refused (RFC 9110, section 4.2.4).  An empty path is `/`, for which a slash of the scheme
/// stands: everything in a head is a place in the bytes that came.
fn absolute(target: &[u8], longest: usize) -> Result<Target<'_>, BadHead> {
    let has = |scheme: &&&[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let scheme = schemes.iter().find(has).ok_or(BadHead::Target)?.len();
    let rest = &target[scheme..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (whole, rest) = rest.split_at(end);
    let authority = Authority { whole, host: host::name(whole).ok_or(BadHead::TargetHost)? };
    let mut parsed = origin(rest, longest)?;
    if parsed.path.is_empty() {
        parsed.path = &target[scheme - 1..scheme];
    }
    Ok(Target { authority: Some(authority), ..parsed })
}

/// Path and query.
///
/// Both may have what browsers send unescaped although RFC 3986 reserves it (`[`, `|`, `"`, …).  Refused are
/// control bytes, blanks and bytes above 126, which have to be escaped, and `#`: a fragment is never sent.  In
/// a path, escapes must be complete, as nginx and Caddy want it, and there is no backslash: browsers make a
/// slash of it, and so might what is behind us.  A query is not decoded by anything here, and forms in the
/// field have both.
fn origin(target: &[u8], longest: usize) -> Result<Target<'_>, BadHead> {
    if !target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#') {
        return Err(BadHead::TargetByte);
    }
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    };
    if path.len() > longest {
        return Err(BadHead::PathTooLong);
    }
    if memchr::memchr(b'\\', path).is_some() || !host::escapes(path) {
        return Err(BadHead::TargetByte);
    }
    Ok(Target { authority: None, path, query })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Target<'_>, BadHead> {
        let (method, target) = line.split_once(' ').unwrap();
        Target::parse(method.as_bytes(), target.as_bytes(), 16)
    }

    #[test]
    fn accepted() {
        for (line, host, path, query) in [
            ("GET /", None, "/", None),
            ("GET /a/b?c=d?e", None, "/a/b", Some("c=d?e")),
            ("GET /?", None, "/", Some("")),
            ("GET //x", None, "//x", None),
            ("GET /%20?%", None, "/%20", Some("%")),
            ("GET /[|]\"?\\", None, "/[|]\"", Some("\\")),
            ("OPTIONS *", None, "*", None),
            ("GET http://h/p?q", Some("h"), "/p", Some("q")),
            ("GET HTTPS://h:443", Some("h"), "/", None),
            ("GET http://h?q/r", Some("h"), "/", Some("q/r")),
            ("GET http://[::1]:80/", Some("[::1]"), "/", None),
            ("OPTIONS http://h", Some("h"), "/", None),
        ] {
            let target = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let text = |bytes| str::from_utf8(bytes).unwrap();
            let authority = target.authority.map(|authority| text(authority.host));
            assert_eq!((authority, text(target.path), target.query.map(text)), (host, path, query), "{line}");
        }
    }

    #[test]
    fn refused() {
        for (line, expected) in [
            ("GET *", BadHead::Target),
            ("GET x", BadHead::Target),
            ("GET h:80", BadHead::Target),
            ("GET ?x", BadHead::Target),
            ("GET ftp://h/", BadHead::Target),
            ("GET http:/h/", BadHead::Target),
            ("OPTIONS **", BadHead::Target),
            ("GET http://", BadHead::TargetHost),
            ("GET http:///", BadHead::TargetHost),
            ("GET http://:80/", BadHead::TargetHost),
            ("GET http://u@h/", BadHead::TargetHost),
            ("GET http://u:p@h/", BadHead::TargetHost),
            ("GET http://h\\/", BadHead::TargetHost),
            ("GET http://h#f", BadHead::TargetByte),
            ("GET /#f", BadHead::TargetByte),
            ("GET /?#f", BadHead::TargetByte),
            ("GET /a\\b", BadHead::TargetByte),
            ("GET /%", BadHead::TargetByte),
            ("GET /%2", BadHead::TargetByte),
            ("GET /%2?1", BadHead::TargetByte),
            ("GET /%zz", BadHead::TargetByte),
            ("GET /ä", BadHead::TargetByte),
            ("GET /?ä", BadHead::TargetByte),
            ("GET /\u{7f}", BadHead::TargetByte),
            ("GET /\t", BadHead::TargetByte),
            ("GET /\0", BadHead::TargetByte),
            ("GET /0123456789abcdef", BadHead::PathTooLong),
            ("CONNECT h:80", BadHead::Connect),
            ("CONNECT h", BadHead::Target),
            ("CONNECT h:", BadHead::Target),
            ("CONNECT /", BadHead::Target),
        ] {
            assert_eq!(parse(line), Err(expected), "{line:?}");
        }
    }
}
