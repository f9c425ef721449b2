//! Prometheus' text format, version 0.0.4: families of samples, each sample with its labels.

use std::fmt::{Display, Write};

/// A page while it is written.
#[derive(Debug, Default)]
pub(super) struct Page(String);

/// What a family measures.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The samples of one name.
#[derive(Debug)]
pub(super) struct Family<'a> {
    name: &'static str,
    page: &'a mut String,
}

/// A label's name, and its value of any text.
pub(super) type Labels<'a> = [(&'static str, &'a str)];

impl Page {
    /// Begins the samples of a name.  Neither the name nor the help needs escapes.
    pub(super) fn family(&mut self, kind: Kind, name: &'static str, help: &'static str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        put(&mut self.0, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { name, page: &mut self.0 }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub(super) fn sample(&mut self, labels: &Labels<'_>, value: impl Display) {
        self.part("", labels, value);
    }

    /// Adds one of the samples that make a histogram.
    pub(super) fn part(&mut self, suffix: &str, labels: &Labels<'_>, value: impl Display) {
        put(self.page, format_args!("{}{suffix}", self.name));
        for (index, (name, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            put(self.page, format_args!("{before}{name}=\"{}\"", Escaped(value)));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        put(self.page, format_args!("{end} {value}\n"));
    }
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes everything");
}

/// A label's value between its quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in self.0.split_inclusive(['\\', '"', '\n']) {
            match piece.chars().next_back() {
                Some('\n') => write!(out, "{}\\n", &piece[..piece.len() - 1])?,
                Some(special @ ('\\' | '"')) => write!(out, "{}\\{special}", &piece[..piece.len() - 1])?,
                _ => out.write_str(piece)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page() {
        let mut page = Page::default();
        let mut family = page.family(Kind::Counter, "requests_total", "Requests.");
        family.sample(&[("host", "a\"b\\c\nd"), ("route", "/ä")], 3);
        let mut family = page.family(Kind::Histogram, "seconds", "Time.");
        family.part("_bucket", &[("le", "+Inf")], 2);
        family.part("_sum", &[], 0.5);
        page.family(Kind::Gauge, "none", "Nothing.");
        assert_eq!(
            page.finish(),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n\
             requests_total{host=\"a\\\"b\\\\c\\nd\",route=\"/ä\"} 3\n\
             # HELP seconds Time.\n# TYPE seconds histogram\nseconds_bucket{le=\"+Inf\"} 2\nseconds_sum 0.5\n\
             # HELP none Nothing.\n# TYPE none gauge\n"
        );
    }

    /// What Prometheus makes of a label's value.
    fn unescape(text: &str) -> String {
        let mut characters = text.chars();
        let mut plain = String::new();
        while let Some(character) = characters.next() {
            assert!(character != '"' && character != '\n', "{text:?}");
            plain.push(match character {
                '\\' => match characters.next().unwrap() {
                    'n' => '\n',
                    other => other,
                },
                other => other,
            });
        }
        plain
    }

    proptest! {
        #[test]
        fn any_text_can_be_a_label(text in r#"([\\"\n]|\PC){0,20}"#) {
            prop_assert_eq!(unescape(&Escaped(&text).to_string()), text);
        }
    }
}
