//! What a line of the access log looks like, in each of its forms.
//!
//! Nothing that a client sends can end a line or a field: what isn't printable is escaped.

use std::io::Write as _;

use chrono::DateTime;
use mongrel2::config::AccessLogFormat;
use mongrel2::wire::tnetstring;

use super::access::{Access, Asked};

/// What stands for a request that could not be understood.
const NOTHING: Asked<'_> = Asked { method: b"-", uri: b"-", path: b"-", version: "-", referer: None, user_agent: None };

/// The time as the Common Log Format writes it, made once a second.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    fn text(&mut self, second: u64) -> &str {
        if self.second != second || self.text.is_empty() {
            let time = i64::try_from(second).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            self.text = time.unwrap_or_default().format("%d/%b/%Y:%H:%M:%S +0000").to_string();
            self.second = second;
        }
        &self.text
    }
}

/// Appends a line.
pub(super) fn render(out: &mut Vec<u8>, access: &Access<'_>, format: AccessLogFormat, clock: &mut Clock) {
    match format {
        AccessLogFormat::Tnetstring => list(out, access),
        AccessLogFormat::Common => common(out, access, clock),
        AccessLogFormat::Combined => combined(out, access, clock),
        AccessLogFormat::Json => json(out, access),
    }
    out.push(b'\n');
}

/// Appends a line for the terminal.
pub(super) fn human(out: &mut Vec<u8>, access: &Access<'_>) {
    let Access { host, peer, status, bytes, .. } = access;
    let Asked { method, path, .. } = access.asked.unwrap_or(NOTHING);
    let (method, path) = (method.escape_ascii(), path.escape_ascii());
    print(out, format_args!("{} {method} {host}{path} {status} {bytes}\n", peer.ip()));
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes everything");
}

/// The form of the original: a tnetstring list.
fn list(out: &mut Vec<u8>, access: &Access<'_>) {
    let asked = access.asked.unwrap_or(NOTHING);
    let mut list = Vec::with_capacity(160);
    tnetstring::string(&mut list, access.host.as_bytes());
    tnetstring::string(&mut list, access.peer.ip().to_string().as_bytes());
    tnetstring::integer(&mut list, access.peer.port().into());
    tnetstring::integer(&mut list, access.time);
    tnetstring::string(&mut list, asked.method);
    tnetstring::string(&mut list, asked.path);
    tnetstring::string(&mut list, asked.version.as_bytes());
    tnetstring::integer(&mut list, access.status.into());
    tnetstring::integer(&mut list, access.bytes);
    print(out, format_args!("{}:", list.len()));
    out.extend_from_slice(&list);
    out.push(b']');
}

/// Apache's Common Log Format: `%h %l %u %t "%r" %>s %b`.
fn common(out: &mut Vec<u8>, access: &Access<'_>, clock: &mut Clock) {
    print(out, format_args!("{} - - [{}] \"", access.peer.ip(), clock.text(access.time)));
    match &access.asked {
        None => out.push(b'-'),
        Some(Asked { method, uri, version, .. }) => {
            escape(out, method);
            out.push(b' ');
            escape(out, uri);
            print(out, format_args!(" {version}"));
        }
    }
    print(out, format_args!("\" {} ", access.status));
    match access.bytes {
        0 => out.push(b'-'),
        bytes => print(out, format_args!("{bytes}")),
    }
}

/// The same with `"%{Referer}i" "%{User-agent}i"` behind it.
fn combined(out: &mut Vec<u8>, access: &Access<'_>, clock: &mut Clock) {
    common(out, access, clock);
    let asked = access.asked.unwrap_or(NOTHING);
    for value in [asked.referer, asked.user_agent] {
        out.extend_from_slice(b" \"");
        escape(out, value.filter(|value| !value.is_empty()).unwrap_or(b"-"));
        out.push(b'"');
    }
}

/// Quotes, backslashes and what isn't printable ASCII become `\xHH`.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' | ..b' ' | 0x7f.. => print(out, format_args!("\\x{byte:02X}")),
            plain => out.push(*plain),
        }
    }
}

/// An object; what the client didn't say is null.
fn json(out: &mut Vec<u8>, access: &Access<'_>) {
    let Access { peer, time, asked, .. } = access;
    print(out, format_args!("{{\"time\":{time}"));
    string(out, "host", Some(access.host.as_bytes()));
    print(out, format_args!(",\"address\":\"{}\",\"port\":{}", peer.ip(), peer.port()));
    string(out, "method", asked.map(|asked| asked.method));
    string(out, "uri", asked.map(|asked| asked.uri));
    string(out, "version", asked.map(|asked| asked.version.as_bytes()));
    print(out, format_args!(",\"status\":{},\"bytes\":{}", access.status, access.bytes));
    string(out, "referer", asked.and_then(|asked| asked.referer));
    string(out, "user_agent", asked.and_then(|asked| asked.user_agent));
    out.push(b'}');
}

/// A field; bytes that are no UTF-8 become U+FFFD.
fn string(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    print(out, format_args!(",\"{name}\":"));
    let value = value.map(String::from_utf8_lossy);
    serde_json::to_writer(out, &value).expect("a Vec takes everything, and a string is JSON");
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use super::*;

    const ASKED: Asked<'_> = Asked {
        method: b"GET",
        uri: b"/json?a=b",
        path: b"/json",
        version: "HTTP/1.1",
        referer: None,
        user_agent: None,
    };

    const ACCESS: Access<'_> = Access {
        host: "localhost",
        peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 43718),
        time: 1_795_161_671,
        asked: Some(ASKED),
        status: 200,
        bytes: 0,
    };

    fn check(access: Access<'_>, format: AccessLogFormat, expected: &str) {
        let mut out = Vec::new();
        render(&mut out, &access, format, &mut Clock::default());
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
    }

    fn asked(asked: Asked<'_>) -> Access<'_> {
        Access { asked: Some(asked), ..ACCESS }
    }

    const REFUSED: Access<'_> = Access { asked: None, status: 400, bytes: 12, ..ACCESS };

    #[test]
    fn tnetstring() {
        let expected = include_str!("../../tests/recorded/c-access.log").lines().nth(2).unwrap();
        check(ACCESS, AccessLogFormat::Tnetstring, expected);
    }

    #[test]
    fn common() {
        let check = |access, expected: &str| check(access, AccessLogFormat::Common, expected);
        check(ACCESS, r#"127.0.0.1 - - [20/Nov/2026:08:01:11 +0000] "GET /json?a=b HTTP/1.1" 200 -"#);
        check(REFUSED, r#"127.0.0.1 - - [20/Nov/2026:08:01:11 +0000] "-" 400 12"#);
        let odd = Asked { uri: b"/\"\\\x01\xff", ..ASKED };
        check(asked(odd), r#"127.0.0.1 - - [20/Nov/2026:08:01:11 +0000] "GET /\x22\x5C\x01\xFF HTTP/1.1" 200 -"#);
    }

    #[test]
    fn combined() {
        let check = |access, expected: &str| {
            let start = "127.0.0.1 - - [20/Nov/2026:08:01:11 +0000]";
            check(access, AccessLogFormat::Combined, &format!("{start} {expected}"));
        };
        check(ACCESS, r#""GET /json?a=b HTTP/1.1" 200 - "-" "-""#);
        check(REFUSED, r#""-" 400 12 "-" "-""#);
        let client = Asked { referer: Some(b"http://x/"), user_agent: Some(b"a \"b\"\t\xc3\xa4"), ..ASKED };
        check(asked(client), r#""GET /json?a=b HTTP/1.1" 200 - "http://x/" "a \x22b\x22\x09\xC3\xA4""#);
        check(asked(Asked { referer: Some(b""), ..ASKED }), r#""GET /json?a=b HTTP/1.1" 200 - "-" "-""#);
    }

    #[test]
    fn json() {
        let check = |access, expected: &str| {
            let start = r#"{"time":1795161671,"host":"localhost","address":"127.0.0.1","port":43718,"#;
            check(access, AccessLogFormat::Json, &format!("{start}{expected}}}"));
        };
        let client = Asked { user_agent: Some(b"a \"b\"\t\xc3\xa4\xff"), ..ASKED };
        check(
            asked(client),
            concat!(
                r#""method":"GET","uri":"/json?a=b","version":"HTTP/1.1","status":200,"bytes":0,"#,
                r#""referer":null,"user_agent":"a \"b\"\tä"#,
                "\u{fffd}\""
            ),
        );
        check(
            REFUSED,
            r#""method":null,"uri":null,"version":null,"status":400,"bytes":12,"referer":null,"user_agent":null"#,
        );
    }
}
