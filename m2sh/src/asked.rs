//! What `m2sh route` was asked about: a URL, a path or the name of a socket route, taken apart.

/// A request that might be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The host, without its port; `None` if only a path was given.
    pub host: Option<String>,
    /// The port, if one was given or its scheme has one.
    pub port: Option<i64>,
    /// The path without query and fragment, or the name of a socket route.
    pub path: String,
}

impl Asked {
    /// Takes a text apart.
    ///
    /// # Errors
    /// What is wrong, and what might have been meant.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        if text.starts_with(['@', '<']) {
            return Ok(Self { host: None, port: None, path: text.to_owned() });
        }
        if text.starts_with('/') {
            return Ok(Self { host: None, port: None, path: path_of(text) });
        }
        match text.split_once("://") {
            Some(("http", rest)) => url(rest, 80),
            Some(("https", rest)) => url(rest, 443),
            Some((scheme, rest)) => {
                Err((format!("servers don't speak `{scheme}`"), format!("did you mean `http://{rest}`?")))
            }
            None => {
                Err(("it is neither a URL nor a path".into(), format!("did you mean `http://{text}` or `/{text}`?")))
            }
        }
    }

    /// Whether it is the name of a socket route, which only the default host has.
    pub fn is_socket(&self) -> bool {
        self.path.starts_with(['@', '<'])
    }
}

fn url(rest: &str, scheme_port: i64) -> Result<Asked, (String, String)> {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = split_port(authority);
    let port = match port {
        None => scheme_port,
        Some(port) => port
            .parse::<u16>()
            .map(i64::from)
            .map_err(|_| (format!("`{port}` is not a TCP port"), "a port is a number up to 65535".into()))?,
    };
    Ok(Asked { host: Some(host.to_owned()), port: Some(port), path: path_of(path) })
}

/// The port of `[::1]:80` or `example.com:80`, and what is before it.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn path_of(text: &str) -> String {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    if path.is_empty() { "/".into() } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, host: Option<&str>, port: Option<i64>, path: &str) {
        let expected = Asked { host: host.map(str::to_owned), port, path: path.into() };
        assert_eq!(Asked::parse(text), Ok(expected), "{text}");
    }

    #[test]
    fn urls_and_paths() {
        check("/a/b?c#d", None, None, "/a/b");
        check("@chat", None, None, "@chat");
        check("<test", None, None, "<test");
        check("http://example.com", Some("example.com"), Some(80), "/");
        check("http://example.com:6767/x/?y=/z", Some("example.com"), Some(6767), "/x/");
        check("https://example.com?x", Some("example.com"), Some(443), "/");
        check("http://[::1]:80/x", Some("[::1]"), Some(80), "/x");
        check("http://[::1]/x", Some("[::1]"), Some(80), "/x");
    }

    #[test]
    fn other_texts_are_told_what_they_might_mean() {
        for (text, hint) in [
            ("example.com/x", "did you mean `http://example.com/x` or `/example.com/x`?"),
            ("ftp://example.com/", "did you mean `http://example.com/`?"),
            ("http://example.com:x/", "a port is a number up to 65535"),
        ] {
            assert_eq!(Asked::parse(text).unwrap_err().1, hint);
        }
    }
}
