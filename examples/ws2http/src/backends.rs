//! Whose socket it is: patterns of paths, as routes of the server have them, each with the URL of a backend.  Pure.

use http::Uri;
use http::uri::Scheme;
use mongrel2::route::{Found, Path, Routes};
use thiserror::Error;

use crate::error::Error;

/// Patterns, each with something of the caller's.
#[derive(Debug)]
pub(crate) struct Backends<T>(Routes<T>);

/// Why nothing can be asked there; fits after "cannot use the backend …:".
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum UrlError {
    /// It isn't a URL, or only a part of one.
    #[error("it is not a URL")]
    Malformed,
    /// We don't speak that.
    #[error("`{0}` is not spoken here, only `http`")]
    Scheme(String),
    /// A password on the command line is everyone's to read.
    #[error("it names a user, which would be seen by all users of the machine")]
    User,
}

impl<T> Backends<T> {
    /// Puts patterns in order; `make` gives what belongs to each URL.
    ///
    /// # Errors
    /// The first pattern or URL that can't be used.
    pub(crate) fn new(routes: &[(String, String)], mut make: impl FnMut(Uri) -> T) -> Result<Self, Error> {
        let rules: Result<Vec<_>, Error> = routes
            .iter()
            .map(|(pattern, text)| {
                let url = url(text).map_err(|error| Error::Url(text.clone(), error))?;
                Ok((path(pattern)?, make(url)))
            })
            .collect();
        Ok(Self(Routes::new(rules?)))
    }

    /// What belongs to the pattern that a path matches.
    pub(crate) fn find(&self, path: &str) -> Option<&T> {
        match self.0.find(path.as_bytes()) {
            Found::Rule(rule) => Some(&rule.value),
            Found::Slash(_) | Found::Nothing => None,
        }
    }
}

fn path(pattern: &str) -> Result<Path, Error> {
    if !pattern.starts_with('/') {
        return Err(Error::NoPath(pattern.to_owned()));
    }
    Path::parse(pattern, false).map_err(|error| Error::Pattern(pattern.to_owned(), error))
}

fn url(text: &str) -> Result<Uri, UrlError> {
    let url: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
    let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else { return Err(UrlError::Malformed) };
    if *scheme != Scheme::HTTP {
        return Err(UrlError::Scheme(scheme.to_string()));
    }
    if authority.as_str().contains('@') {
        return Err(UrlError::User);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends(routes: &[(&str, &str)]) -> Result<Backends<String>, Error> {
        let routes: Vec<_> = routes.iter().map(|(pattern, url)| ((*pattern).into(), (*url).into())).collect();
        Backends::new(&routes, |url| url.to_string())
    }

    #[test]
    fn the_longest_prefix_decides_and_patterns_are_those_of_routes() {
        let routes = [("/", "http://a/"), ("/chat/", "http://b:81/x?y=z"), (r"/room/(\d+$)", "http://c/")];
        let backends = backends(&routes).unwrap();
        for (path, expected) in [
            ("/else", Some("http://a/")),
            ("/chat/socket", Some("http://b:81/x?y=z")),
            ("/room/12", Some("http://c/")),
            ("/room/12/x", None),
            ("/chat", None),
        ] {
            assert_eq!(backends.find(path).map(String::as_str), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_backend() {
        for (text, expected) in [
            ("", UrlError::Malformed),
            ("/event.php", UrlError::Malformed),
            ("localhost:8000", UrlError::Malformed),
            ("http://", UrlError::Malformed),
            ("http://a b/", UrlError::Malformed),
            ("https://a/", UrlError::Scheme("https".into())),
            ("ftp://a/", UrlError::Scheme("ftp".into())),
            ("http://me:secret@a/", UrlError::User),
        ] {
            assert_eq!(url(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        assert!(matches!(backends(&[("chat", "http://a/")]), Err(Error::NoPath(_))));
        assert!(matches!(backends(&[("/(a", "http://a/")]), Err(Error::Pattern(..))));
    }
}
