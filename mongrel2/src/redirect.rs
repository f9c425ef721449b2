//! Where a redirect leads: the `to` of a `Redirect`, parsed once and filled in for each request.
//!
//! Pure.  A request chooses path, query and host only where `to` has a word for them: what it sends in its
//! path never becomes the name of another host, and nothing of it ends the header that it is written to.

use thiserror::Error;

use crate::config::closest;

/// The statuses that a redirect may have (RFC 9110, section 15.4).
pub const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

const WORDS: [&str; 3] = ["path", "query", "host"];

/// An address with places to fill in: `$path`, `$query`, `$host`; `$$` is a dollar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Path,
    Query,
    Host,
}

/// What is known of a request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The path as it came, still percent-encoded.
    pub path: &'a [u8],
    /// The query without its `?`, if there is one.
    pub query: Option<&'a [u8]>,
    /// The name of the host, without its port.
    pub host: &'a [u8],
}

/// Why a text is no address to redirect to; fits after "cannot redirect to …:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocationError {
    /// A blank, a control character, or a letter that URLs don't have.
    #[error("`{}` cannot be part of a URL", .0.escape_default())]
    Character(char),
    /// It is neither a path nor a URL of the web.
    #[error("it begins with none of `/`, `http://` and `https://`")]
    Start,
    /// What looks like a path would be taken for a host.
    #[error("browsers take what is behind `//` for a host")]
    Slashes,
    /// A URL without a host.
    #[error("there is no host behind `://`")]
    NoHost,
    /// A word that means nothing.
    #[error("there is no `${0}`")]
    Word(String),
    /// A dollar without a word.
    #[error("a `$` has no word behind it")]
    Dollar,
}

impl LocationError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Character(_) => "write it percent-encoded, such as %20; in the name of a host as Punycode".into(),
            Self::Start => "to: \"https://example.com$path$query\", or to: \"/new$query\" on the same host".into(),
            Self::Slashes => "write `http://` or `https://` before a host, and a single `/` before a path".into(),
            Self::NoHost => {
                "to: \"https://example.com$path\", or \"https://$host$path\" for the host that was asked".into()
            }
            Self::Word(word) => match closest(word, WORDS) {
                Some(close) => format!("did you mean `${close}`?"),
                None => "the words are `$path`, `$query` and `$host`; `$$` is a dollar".into(),
            },
            Self::Dollar => "`$$` is a dollar; the words are `$path`, `$query` and `$host`".into(),
        }
    }
}

impl Location {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(LocationError::Character(odd));
        }
        let parts = parts(text)?;
        match &parts[..] {
            [Part::Path, ..] => {}
            [Part::Text(start), rest @ ..] => check_start(start, rest.first())?,
            _ => return Err(LocationError::Start),
        }
        Ok(Self { parts })
    }

    /// The address for a request, fit to be the value of a header.
    pub fn render(&self, asked: Asked<'_>) -> String {
        let mut location = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => location.push_str(text),
                Part::Path if asked.path.starts_with(b"/") => push(&mut location, asked.path),
                Part::Path => location.push('/'),
                Part::Query => asked.query.into_iter().for_each(|query| {
                    location.push('?');
                    push(&mut location, query);
                }),
                Part::Host => push(&mut location, asked.host),
            }
        }
        if location.starts_with('/') { on_this_host(&location) } else { location }
    }
}

/// A path that no browser takes for the name of another host: they read `//x` and `/\x` as `http://x`.
pub fn on_this_host(path: &str) -> String {
    format!("/{}", path.trim_start_matches(['/', '\\']))
}

/// Header values have no other bytes, and a request's path has none either.
fn push(location: &mut String, bytes: &[u8]) {
    location.extend(bytes.iter().filter(|byte| byte.is_ascii_graphic()).copied().map(char::from));
}

fn parts(mut text: &str) -> Result<Vec<Part>, LocationError> {
    let mut parts = Vec::new();
    while let Some((before, behind)) = text.split_once('$') {
        parts.push(Part::Text(before.to_owned()));
        let (part, rest) = word(behind)?;
        parts.push(part);
        text = rest;
    }
    parts.push(Part::Text(text.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

/// What a dollar stands for, by the text behind it, and what follows.
fn word(text: &str) -> Result<(Part, &str), LocationError> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    match text.split_at(end) {
        ("path", rest) => Ok((Part::Path, rest)),
        ("query", rest) => Ok((Part::Query, rest)),
        ("host", rest) => Ok((Part::Host, rest)),
        ("", rest) => match rest.strip_prefix('$') {
            Some(rest) => Ok((Part::Text("$".into()), rest)),
            None => Err(LocationError::Dollar),
        },
        (word, _) => Err(LocationError::Word(word.to_owned())),
    }
}

/// Checks the first text of an address, which stands before the part `next`.
fn check_start(start: &str, next: Option<&Part>) -> Result<(), LocationError> {
    if let Some(path) = start.strip_prefix('/') {
        return if path.starts_with(['/', '\\']) { Err(LocationError::Slashes) } else { Ok(()) };
    }
    let host = start.strip_prefix("https://").or_else(|| start.strip_prefix("http://"));
    match host.ok_or(LocationError::Start)?.chars().next() {
        None if next == Some(&Part::Host) => Ok(()),
        None | Some('/' | '\\' | '?' | '#' | ':') => Err(LocationError::NoHost),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(to: &str, path: &str, query: Option<&str>, expected: &str) {
        let asked = Asked { path: path.as_bytes(), query: query.map(str::as_bytes), host: b"www.example.com" };
        let location = Location::parse(to).unwrap_or_else(|error| panic!("{to}: {error}"));
        assert_eq!(location.render(asked), expected, "{to} for {path}");
    }

    #[test]
    fn words_are_filled_in() {
        check("https://example.com$path$query", "/a/b%20c", Some("d=e"), "https://example.com/a/b%20c?d=e");
        check("https://example.com$path$query", "/", None, "https://example.com/");
        check("https://example.com$path$query", "/", Some(""), "https://example.com/?");
        check("https://$host$path", "/a", Some("b"), "https://www.example.com/a");
        check("https://m.$host/", "/a", None, "https://m.www.example.com/");
        check("/new$path.html", "/a", None, "/new/a.html");
        check("/cost$$path$$", "/a", None, "/cost$path$");
        check("https://example.com:8443$query", "/a", Some("b"), "https://example.com:8443?b");
    }

    #[test]
    fn a_path_names_no_other_host() {
        check("$path$query", "//evil.com/x", Some("y"), "/evil.com/x?y");
        check("$path", "/\\evil.com", None, "/evil.com");
        check("$path", "/\\/\\evil.com", None, "/evil.com");
        check("$path", "*", None, "/");
        check("/$path", "/evil.com", None, "/evil.com");
        check("https://example.com$path", "@evil.com", None, "https://example.com/");
        check("https://example.com$path", "//evil.com", None, "https://example.com//evil.com");
    }

    #[test]
    fn nothing_ends_the_header() {
        check("/x$path$query", "/a\r\nSet-Cookie: b", Some("\t\u{7f}\0\r\n"), "/x/aSet-Cookie:b?");
    }

    #[test]
    fn faults_have_hints() {
        for (to, message, hint) in [
            ("", "it begins with none of", "example.com"),
            ("example.com", "it begins with none of", "example.com"),
            ("ftp://x/", "it begins with none of", "https"),
            ("$host", "it begins with none of", "https"),
            ("//example.com", "browsers take", "before a host"),
            ("/\\example.com", "browsers take", "before a host"),
            ("https://", "no host behind", "$host"),
            ("https://$path", "no host behind", "$host"),
            ("https:///x", "no host behind", "$host"),
            ("/a b", "` ` cannot be part of a URL", "%20"),
            ("/a\n", "`\\n` cannot be part of a URL", "%20"),
            ("/ü", "`\\u{fc}` cannot be part of a URL", "percent-encoded"),
            ("/$pth", "there is no `$pth`", "did you mean `$path`?"),
            ("/$querry", "there is no `$querry`", "did you mean `$query`?"),
            ("/$1", "there is no `$1`", "the words are"),
            ("/$", "a `$` has no word behind it", "`$$` is a dollar"),
            ("/$/x", "a `$` has no word behind it", "`$$` is a dollar"),
        ] {
            let error = Location::parse(to).expect_err(to);
            assert!(error.to_string().contains(message), "{to}: {error}");
            assert!(error.hint().contains(hint), "{to}: {}", error.hint());
        }
    }
}
