//! Which entries of an access log are wanted.  Pure.

use super::{Entry, Line};

/// What entries have to have; nothing means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not older than that: seconds since 1970.
    pub since: Option<i64>,
    /// One of these statuses.
    pub status: Option<Statuses>,
    /// A path that begins so.
    pub path: Option<String>,
    /// This host of the configuration.
    pub host: Option<String>,
    /// This address of a client.
    pub client: Option<String>,
    /// This method.
    pub method: Option<String>,
}

impl Filter {
    /// Whether a line is wanted.  One that can't be read has nothing to be chosen by.
    pub fn wants(&self, line: &Line) -> bool {
        match line {
            Line::Entry(entry) => self.fits(entry),
            Line::Other(_) => *self == Self::default(),
        }
    }

    fn fits(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, has: Option<&str>| wanted.is_none() || wanted.as_deref() == has;
        self.since.is_none_or(|since| entry.time >= since)
            && self.status.as_ref().is_none_or(|statuses| statuses.contains(entry.status))
            && self.path.as_ref().is_none_or(|path| entry.uri.as_ref().is_some_and(|uri| uri.starts_with(path)))
            && same(&self.host, entry.host.as_deref())
            && same(&self.client, Some(&entry.address))
            && same(&self.method, entry.method.as_deref())
    }
}

/// Statuses as operators write them: `404`, `5xx`, `404,5xx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    /// Reads them.
    ///
    /// # Errors
    /// What they have to look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let ranges: Option<Vec<_>> = text.split(',').map(|part| range(part.trim())).collect();
        ranges.map(Self).ok_or_else(|| format!("`{text}` is no status: 404, 5xx or 404,5xx"))
    }

    fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let hundred = |digit: &str| digit.parse::<u16>().ok().filter(|digit| (1..=9).contains(digit));
    match text.strip_suffix("xx") {
        Some(digit) => hundred(digit).map(|digit| (digit * 100, digit * 100 + 99)),
        None => text.parse().ok().filter(|status| (100..=999).contains(status)).map(|status| (status, status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (text, inside, outside) in
            [("404", 404, 405), ("5xx", 500, 499), ("5xx", 599, 600), ("404,5xx", 404, 403), ("404, 5xx", 503, 400)]
        {
            let statuses = Statuses::parse(text).unwrap();
            assert!(statuses.contains(inside) && !statuses.contains(outside), "{text}");
        }
        for text in ["", "x", "5x", "xxx", "0xx", "10xx", "+4", "40", "1000", "404,", "4xx-5xx"] {
            assert!(Statuses::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_condition_counts() {
        let entry = Entry {
            time: 100,
            host: Some("a".into()),
            address: "::1".into(),
            method: Some("GET".into()),
            uri: Some("/x/y?z".into()),
            status: 404,
            ..Entry::default()
        };
        let check = |fits, filter: Filter| {
            assert_eq!(filter.wants(&Line::Entry(Box::new(entry.clone()))), fits, "{filter:?}");
        };
        check(true, Filter::default());
        for (since, fits) in [(100, true), (101, false)] {
            check(fits, Filter { since: Some(since), ..Filter::default() });
        }
        for (status, fits) in [("4xx", true), ("5xx", false)] {
            check(fits, Filter { status: Statuses::parse(status).ok(), ..Filter::default() });
        }
        for (path, fits) in [("/x/", true), ("/y", false)] {
            check(fits, Filter { path: Some(path.into()), ..Filter::default() });
        }
        for (word, fits) in [("a", true), ("b", false)] {
            check(fits, Filter { host: Some(word.into()), ..Filter::default() });
        }
        for (word, fits) in [("::1", true), ("::", false)] {
            check(fits, Filter { client: Some(word.into()), ..Filter::default() });
        }
        for (word, fits) in [("GET", true), ("POST", false)] {
            check(fits, Filter { method: Some(word.into()), ..Filter::default() });
        }
    }

    #[test]
    fn what_cannot_be_read_is_only_there_if_everything_is() {
        let line = Line::Other("?".into());
        assert!(Filter::default().wants(&line));
        assert!(!Filter { since: Some(0), ..Filter::default() }.wants(&line));
    }
}
