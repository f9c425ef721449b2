//! Host and port as a request names them: `uri-host [ ":" port ]` (RFC 9110, section 7.2).

use std::net::Ipv6Addr;

use super::token::decimal;

/// The host without its port, nothing if it is empty or malformed.
///
/// A name has the characters of RFC 3986, section 3.2.2, and complete escapes.  An IPv6 address keeps its
/// brackets; zones (RFC 6874) mean something to one machine only and are refused, as are the forms that
/// nobody has defined (IPvFuture).  A port is empty or a number up to 65535.
pub(super) fn name(host: &[u8]) -> Option<&[u8]> {
    let length = if host.first() == Some(&b'[') {
        memchr::memchr(b']', host)? + 1
    } else {
        memchr::memchr(b':', host).unwrap_or(host.len())
    };
    let (name, port) = host.split_at(length);
    (is_name(name) && is_port(port)).then_some(name)
}

fn is_port(text: &[u8]) -> bool {
    match text {
        [] | [b':'] => true,
        [b':', digits @ ..] => decimal(digits).is_some_and(|port| port <= 65535),
        _ => false,
    }
}

fn is_name(name: &[u8]) -> bool {
    match name {
        [] => false,
        [b'[', address @ .., b']'] => str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        _ => {
            name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte)) && escapes(name)
        }
    }
}

/// Whether each percent sign has its two hexadecimal digits (RFC 3986, section 2.1).
pub(super) fn escapes(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| matches!(text.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("x", "x"),
            ("x:80", "x"),
            ("x:", "x"),
            ("my_host.example.com.", "my_host.example.com."),
            ("1.2.3.4:", "1.2.3.4"),
            ("[::1]", "[::1]"),
            ("[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]"),
            ("%41b", "%41b"),
        ] {
            assert_eq!(name(host.as_bytes()), Some(expected.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "x y",
            "x/y",
            "x@y",
            "x?",
            "x#",
            "x\\y",
            "x:8o",
            "x:-1",
            "x:65536",
            "x:80:80",
            "::1",
            "[::1",
            "[]",
            "[x]",
            "[::1]x",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "[fe80::1%eth0]",
            "[v1.x]",
            "[[::1]]",
            "%4",
            "%zz",
            "ä",
            "\"x\"",
            "<x>",
            "x|y",
            "{x}",
            "x\t",
            "x\0",
        ] {
            assert_eq!(name(host.as_bytes()), None, "{host:?}");
        }
    }
}
