//! The head of a request as an upstream gets it: without what was meant for this hop, with what this hop adds.
//!
//! Pure.  What came in has been parsed strictly; here it is written anew.

use std::net::IpAddr;

use super::fields::{Name, Nominated, name};
use crate::connection::{Address, elements};

/// A client's request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) query: Option<&'a [u8]>,
    /// The host that is meant, for a request without a Host header.
    pub(crate) host: Option<&'a [u8]>,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(crate) minor: u8,
    /// Whether the body comes in chunks, and goes on in chunks.
    pub(crate) is_chunked: bool,
}

/// What this hop says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop<'a> {
    /// The client's address.
    pub(crate) peer: IpAddr,
    pub(crate) scheme: &'static str,
    /// The Host header in place of the client's.
    pub(crate) host: Option<&'a [u8]>,
    /// Whether what the client says of hops before it is passed on.
    pub(crate) trusts_client: bool,
    /// Whether the client's Upgrade is passed on.
    pub(crate) upgrades: bool,
    /// Whether the client's Expect is passed on.
    pub(crate) expects_continue: bool,
    /// The Cookie headers in place of the client's.
    pub(crate) cookies: Option<&'a [Vec<u8>]>,
}

/// What a client has said of itself and of the hops before it.
#[derive(Debug, Default)]
struct Said<'a> {
    host: Option<&'a [u8]>,
    addresses: Vec<&'a [u8]>,
    proto: Option<&'a [u8]>,
    forwarded_host: Option<&'a [u8]>,
    forwarded: Vec<&'a [u8]>,
    via: Vec<&'a [u8]>,
    upgrade: Option<&'a [u8]>,
}

/// Renders the head.
pub(crate) fn render<'a>(
    out: &mut Vec<u8>,
    asked: &Asked<'a>,
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    hop: &Hop<'_>,
) {
    out.extend_from_slice(asked.method);
    out.push(b' ');
    out.extend_from_slice(asked.path);
    if let Some(query) = asked.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let nominated = Nominated::of(headers.clone());
    let mut said = Said { host: asked.host, ..Said::default() };
    // Host comes first (RFC 9110, section 7.2).
    let host = hop.host.or_else(|| headers.clone().find(|header| name(header.0) == Name::Host).map(|header| header.1));
    line(out, "Host", host.or(asked.host).unwrap_or_default());
    for (field, value) in headers {
        match name(field) {
            Name::Host => said.host = Some(value),
            Name::ForwardedFor => said.addresses.push(value),
            Name::ForwardedProto => said.proto = Some(value),
            Name::ForwardedHost => said.forwarded_host = Some(value),
            Name::Forwarded => said.forwarded.push(value),
            Name::Via => said.via.push(value),
            Name::Upgrade => said.upgrade = Some(value),
            Name::HopByHop | Name::Expect => {}
            Name::Cookie if hop.cookies.is_some() => {}
            Name::Date | Name::SetCookie | Name::Length | Name::Cookie | Name::Other => {
                if !nominated.has(field) || name(field) == Name::Length {
                    header(out, field, value);
                }
            }
        }
    }
    for cookies in hop.cookies.unwrap_or_default() {
        line(out, "Cookie", cookies);
    }
    add(out, asked, &said, hop);
    out.extend_from_slice(b"\r\n");
}

/// How often a request has been forwarded by servers like this one (RFC 9110, section 7.6.3).
pub(crate) fn hops<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> usize {
    let lists = headers.filter(|header| name(header.0) == Name::Via);
    lists.flat_map(|header| elements(header.1)).filter(|element| element.ends_with(b" mongrel2")).count()
}

/// What this hop adds.
fn add(out: &mut Vec<u8>, asked: &Asked<'_>, said: &Said<'_>, hop: &Hop<'_>) {
    let before = |values| if hop.trusts_client { values } else { &[][..] };
    let kept = |value: Option<_>| value.filter(|_| hop.trusts_client);
    let peer = Address::new(hop.peer);
    list(out, "X-Forwarded-For", before(&said.addresses), |out| out.extend_from_slice(peer.as_bytes()));
    line(out, "X-Forwarded-Proto", kept(said.proto).unwrap_or(hop.scheme.as_bytes()));
    if let Some(host) = kept(said.forwarded_host).or(said.host) {
        line(out, "X-Forwarded-Host", host);
    }
    list(out, "Forwarded", before(&said.forwarded), |out| {
        forwarded(out, hop, peer.as_bytes(), said.host.unwrap_or_default())
    });
    // A gateway says so in each request (RFC 9110, section 7.6.3).
    let via: &[u8] = if asked.minor == 0 { b"1.0 mongrel2" } else { b"1.1 mongrel2" };
    list(out, "Via", &said.via, |out| out.extend_from_slice(via));
    if asked.is_chunked {
        line(out, "Transfer-Encoding", b"chunked");
    }
    if hop.expects_continue {
        line(out, "Expect", b"100-continue");
    }
    if let (true, Some(upgrade)) = (hop.upgrades, said.upgrade) {
        line(out, "Connection", b"Upgrade");
        line(out, "Upgrade", upgrade);
    }
}

/// An element of Forwarded (RFC 7239, sections 4 and 6); what isn't a token is quoted.
fn forwarded(out: &mut Vec<u8>, hop: &Hop<'_>, peer: &[u8], host: &[u8]) {
    let quotes: [&[u8]; 2] = if hop.peer.is_ipv4() { [b"", b""] } else { [b"\"[", b"]\""] };
    for part in [b"for=", quotes[0], peer, quotes[1]] {
        out.extend_from_slice(part);
    }
    if !host.is_empty() {
        let is_plain = host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte));
        let quote: &[u8] = if is_plain { b"" } else { b"\"" };
        // Neither quotes nor backslashes are allowed in a host.
        for part in [b";host=", quote, host, quote] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(hop.scheme.as_bytes());
}

/// Appends a header line with a list, whose last element is ours.
fn list(out: &mut Vec<u8>, name: &str, before: &[&[u8]], last: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for value in before {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
    last(out);
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    header(out, name.as_bytes(), value);
}

/// Appends a header line.
pub(super) fn header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> =
        Asked { method: b"GET", path: b"/a", query: None, host: None, minor: 1, is_chunked: false };

    const HOP: Hop<'_> = Hop {
        peer: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        scheme: "http",
        host: None,
        trusts_client: false,
        upgrades: false,
        expects_continue: false,
        cookies: None,
    };

    /// Checks the lines behind the request line; those that every request gets are left out if they are as usual.
    fn check(asked: Asked<'_>, headers: &[&str], hop: Hop<'_>, expected: &[&str]) {
        let headers: Vec<(&[u8], &[u8])> = headers
            .iter()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let mut out = Vec::new();
        render(&mut out, &asked, headers.iter().copied(), &hop);
        let text = String::from_utf8(out).unwrap();
        let usual = [
            "Host: x",
            "X-Forwarded-For: 10.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: x",
            "Forwarded: for=10.0.0.1;host=x;proto=http",
            "Via: 1.1 mongrel2",
        ];
        let lines: Vec<&str> = text.strip_suffix("\r\n\r\n").unwrap().split("\r\n").skip(1).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| !usual.contains(line)).collect();
        assert_eq!(lines, expected, "{headers:?}");
    }

    #[test]
    fn the_whole_of_a_plain_request() {
        let mut out = Vec::new();
        let asked = Asked { query: Some(b"b=c"), ..ASKED };
        render(&mut out, &asked, [(&b"host"[..], &b"x:81"[..]), (b"A", b"b")].into_iter(), &HOP);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "GET /a?b=c HTTP/1.1\r\nHost: x:81\r\nA: b\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: x:81\r\nForwarded: for=10.0.0.1;host=\"x:81\";proto=http\r\nVia: 1.1 mongrel2\r\n\r\n"
        );
    }

    #[test]
    fn what_was_for_this_hop_stays_here() {
        for line in [
            "Connection: close",
            "connection: keep-alive",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: Basic x",
            "TE: trailers",
            "Trailer: X",
            "Transfer-Encoding: chunked",
            "Upgrade: websocket",
            "Expect: 100-continue",
            "X-Forwarded-For: 6.6.6.6",
            "X_Forwarded_For: 6.6.6.6",
            "x-forwarded_proto: https",
            "X-Forwarded-Host: evil",
            "Forwarded: for=6.6.6.6",
            "Content_Length: 5",
            "Transfer_Encoding: chunked",
        ] {
            check(ASKED, &["Host: x", line], HOP, &[]);
        }
        check(
            ASKED,
            &["Host: x", "Connection: close, A, Content-Length", "a: b", "Content-Length: 3"],
            HOP,
            &["Content-Length: 3"],
        );
    }

    #[test]
    fn hops_are_counted() {
        let headers: [(&[u8], &[u8]); 3] =
            [(b"Via", b"1.1 mongrel2, 1.1 other, 1.0 mongrel2"), (b"via", b"1.1 mongrel2"), (b"X", b"1.1 mongrel2")];
        assert_eq!(hops(headers.into_iter()), 3);
    }

    #[test]
    fn who_is_trusted_is_passed_on() {
        let trusting = Hop { trusts_client: true, ..HOP };
        let lines = [
            "Host: x",
            "X-Forwarded-For: 1.1.1.1",
            "X-Forwarded-For: 2.2.2.2",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: y",
            "Forwarded: for=1.1.1.1",
        ];
        check(
            ASKED,
            &lines,
            trusting,
            &[
                "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Host: y",
                "Forwarded: for=1.1.1.1, for=10.0.0.1;host=x;proto=http",
            ],
        );
    }

    #[test]
    fn what_this_hop_adds() {
        check(
            Asked { is_chunked: true, ..ASKED },
            &["Host: x", "Transfer-Encoding: Chunked"],
            HOP,
            &["Transfer-Encoding: chunked"],
        );
        check(ASKED, &["Host: x"], Hop { expects_continue: true, ..HOP }, &["Expect: 100-continue"]);
        check(
            ASKED,
            &["Host: x", "Connection: upgrade", "Upgrade: websocket"],
            Hop { upgrades: true, ..HOP },
            &["Connection: Upgrade", "Upgrade: websocket"],
        );
        check(Asked { minor: 0, ..ASKED }, &["Host: x", "Via: 1.1 front"], HOP, &["Via: 1.1 front, 1.0 mongrel2"]);
        check(Asked { host: Some(b"x"), ..ASKED }, &[], HOP, &[]);
        check(ASKED, &["Host: x"], Hop { host: Some(b"inner"), ..HOP }, &["Host: inner"]);
        check(ASKED, &["Host: x", "Cookie: a=b"], HOP, &["Cookie: a=b"]);
        check(
            ASKED,
            &["Host: x", "Cookie: a=b; c=d"],
            Hop { cookies: Some(&[b"c=d".to_vec()]), ..HOP },
            &["Cookie: c=d"],
        );
        let peer = IpAddr::V6("2001:db8::1".parse().unwrap());
        check(
            ASKED,
            &["Host: x"],
            Hop { peer, scheme: "https", ..HOP },
            &[
                "X-Forwarded-For: 2001:db8::1",
                "X-Forwarded-Proto: https",
                "Forwarded: for=\"[2001:db8::1]\";host=x;proto=https",
            ],
        );
    }
}
