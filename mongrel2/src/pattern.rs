//! The pattern language of routes and hosts (the manual, section 3.6): a small relative of Lua's patterns.
//!
//! | item | matches |
//! | --- | --- |
//! | `.` | any byte |
//! | `\a \c \d \l \p \s \u \w \x \z` | a letter, control byte, digit, lower-case letter, punctuation, white space, upper-case letter, letter or digit, hexadecimal digit, NUL |
//! | `\A` … `\Z` | any byte that the lower-case form doesn't |
//! | `[set]` `[^set]` | one of, none of; with ranges `a-z` and the escapes above |
//! | item `*` or `-`, `+`, `?` | any number of it, at least one, at most one |
//! | `\bxy` | from an `x` to the `y` that balances it |
//! | `$` at the end | the end of the text |
//! | `\` and any other byte | that byte |
//!
//! Parentheses only say where a pattern starts; they match nothing themselves.  Everything is bytes, and a
//! pattern matches from the start of the text.
//!
//! A pattern is a row of items; matching carries the set of positions that the items so far can end at, so
//! that its time is at most (items × text length) whatever the text: nothing is ever tried twice.

use thiserror::Error;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    items: Vec<Item>,
    to_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Class(Class, Repeat),
    Balanced { open: u8, close: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Once,
    Optional,
    Any,
    Some,
}

/// Why a text is no pattern; fits after "cannot use the pattern …:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A `(` without a `)`.
    #[error("its `(` has no `)`")]
    Unclosed,
    /// A `\` is the last byte.
    #[error("it ends with a `\\` that escapes nothing")]
    DanglingEscape,
    /// A `[` without its `]`.
    #[error("its `[` at byte {0} has no `]`")]
    UnclosedSet(usize),
    /// A `\b` without two bytes behind it.
    #[error("its `\\b` at byte {0} needs two characters, as in `\\b()`")]
    UnfinishedBalance(usize),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A dangling escape, an unclosed set, or a `\b` without its two bytes.
    pub fn parse(text: &[u8]) -> Result<Self, PatternError> {
        Parser { text, at: 0 }.pattern()
    }

    /// Whether the pattern matches at the start of `text`; what follows the match doesn't matter unless the
    /// pattern ends with `$`.
    pub fn matches_start(&self, text: &[u8]) -> bool {
        let ends = self.ends(text);
        if self.to_end { ends[text.len()] } else { ends.contains(&true) }
    }

    /// Whether the pattern matches the whole of `text`.
    pub fn matches_whole(&self, text: &[u8]) -> bool {
        self.ends(text)[text.len()]
    }

    /// For each position in `text`, its end included: can a match end there?
    fn ends(&self, text: &[u8]) -> Vec<bool> {
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for item in &self.items {
            reached = match item {
                Item::Class(class, repeat) => class_ends(&reached, text, class, *repeat),
                Item::Balanced { open, close } => balanced_ends(&reached, text, *open, *close),
            };
        }
        reached
    }
}

fn class_ends(from: &[bool], text: &[u8], class: &Class, repeat: Repeat) -> Vec<bool> {
    let keep_start = matches!(repeat, Repeat::Optional | Repeat::Any);
    let go_on = matches!(repeat, Repeat::Any | Repeat::Some);
    let mut ends = if keep_start { from.to_vec() } else { vec![false; from.len()] };
    for (at, byte) in text.iter().enumerate() {
        if (from[at] || (go_on && ends[at])) && class.contains(*byte) {
            ends[at + 1] = true;
        }
    }
    ends
}

fn balanced_ends(from: &[bool], text: &[u8], open: u8, close: u8) -> Vec<bool> {
    let mut ends = vec![false; from.len()];
    let mut opened: Vec<usize> = Vec::new();
    for (at, &byte) in text.iter().enumerate() {
        if byte == close
            && let Some(start) = opened.pop()
        {
            ends[at + 1] |= from[start];
        }
        // With equal delimiters a byte that closes one pair opens the next.
        if byte == open {
            opened.push(at);
        }
    }
    ends
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class([u64; 4]);

impl Class {
    const EMPTY: Self = Self([0; 4]);

    fn of(test: impl Fn(u8) -> bool) -> Self {
        (0..=u8::MAX).filter(|byte| test(*byte)).fold(Self::EMPTY, Self::with)
    }

    fn with(mut self, byte: u8) -> Self {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        self
    }

    fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    fn opposite(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    /// What `\` and `byte` stand for.
    fn escaped(byte: u8) -> Self {
        let class = match byte.to_ascii_lowercase() {
            b'a' => Self::of(|b| b.is_ascii_alphabetic()),
            b'c' => Self::of(|b| b.is_ascii_control()),
            b'd' => Self::of(|b| b.is_ascii_digit()),
            b'l' => Self::of(|b| b.is_ascii_lowercase()),
            b'p' => Self::of(|b| b.is_ascii_punctuation()),
            b's' => Self::of(|b| b.is_ascii_whitespace() || b == 0x0b),
            b'u' => Self::of(|b| b.is_ascii_uppercase()),
            b'w' => Self::of(|b| b.is_ascii_alphanumeric()),
            b'x' => Self::of(|b| b.is_ascii_hexdigit()),
            b'z' => Self::of(|b| b == 0),
            _ => return Self::EMPTY.with(byte),
        };
        if byte.is_ascii_uppercase() { class.opposite() } else { class }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn pattern(mut self) -> Result<Pattern, PatternError> {
        let mut items = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'(' | b')' => {}
                b'$' if self.rest_is_closing() => return Ok(Pattern { items, to_end: true }),
                b'\\' if self.peek() == Some(b'b') => items.push(self.balanced()?),
                _ => {
                    let class = self.class(byte)?;
                    items.push(Item::Class(class, self.repeat()));
                }
            }
        }
        Ok(Pattern { items, to_end: false })
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest_is_closing(&self) -> bool {
        self.text[self.at..].iter().all(|byte| *byte == b')')
    }

    fn balanced(&mut self) -> Result<Item, PatternError> {
        let start = self.at - 1;
        self.at += 1;
        match (self.next(), self.next()) {
            (Some(open), Some(close)) => Ok(Item::Balanced { open, close }),
            _ => Err(PatternError::UnfinishedBalance(start)),
        }
    }

    fn class(&mut self, first: u8) -> Result<Class, PatternError> {
        match first {
            b'.' => Ok(Class::EMPTY.opposite()),
            b'[' => self.set(),
            b'\\' => self.escape(),
            literal => Ok(Class::EMPTY.with(literal)),
        }
    }

    fn escape(&mut self) -> Result<Class, PatternError> {
        self.next().map(Class::escaped).ok_or(PatternError::DanglingEscape)
    }

    fn set(&mut self) -> Result<Class, PatternError> {
        let start = self.at - 1;
        let negated = self.peek() == Some(b'^');
        if negated {
            self.at += 1;
        }
        let mut class = Class::EMPTY;
        let mut first = true;
        loop {
            match self.next().ok_or(PatternError::UnclosedSet(start))? {
                b']' if !first => break,
                b'\\' => class = class.union(self.escape()?),
                low => {
                    let high = self.range_end().unwrap_or(low);
                    class = class.union(Class::of(|byte| (low..=high).contains(&byte)));
                }
            }
            first = false;
        }
        Ok(if negated { class.opposite() } else { class })
    }

    /// The upper end of a range, when `-` and something else than the closing `]` follow.
    fn range_end(&mut self) -> Option<u8> {
        match self.text.get(self.at..self.at + 2)? {
            [b'-', high] if *high != b']' => {
                self.at += 2;
                Some(*high)
            }
            _ => None,
        }
    }

    fn repeat(&mut self) -> Repeat {
        let repeat = match self.peek() {
            Some(b'*' | b'-') => Repeat::Any,
            Some(b'+') => Repeat::Some,
            Some(b'?') => Repeat::Optional,
            _ => return Repeat::Once,
        };
        self.at += 1;
        repeat
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let compiled = Pattern::parse(pattern.as_bytes()).unwrap();
        assert_eq!(compiled.matches_start(text.as_bytes()), expected, "`{pattern}` on `{text}`");
    }

    #[test]
    fn items() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "anything", true),
            ("(.*.json)", "a/b.json", true),
            ("(.*.json)", "a/b.jso", false),
            ("([0-9]+)", "123", true),
            ("([0-9]+)", "12x", true),
            ("([0-9]+$)", "12x", false),
            ("([0-9]+)$", "12", true),
            ("([0-9]+)", "x", false),
            ("(\\d\\d?)$", "1", true),
            ("(\\d\\d?)$", "123", false),
            ("(\\A+)$", "123", true),
            ("(\\A+)$", "12a", false),
            ("(\\u\\l+)$", "Zed", true),
            ("(\\u\\l+)$", "zed", false),
            ("([^/]+)$", "no-slash", true),
            ("([^/]+)$", "a/slash", false),
            ("([]x]+)$", "]x]", true),
            ("([a-]+)$", "a-a", true),
            ("([\\d.]+)$", "1.2", true),
            ("(a-b)$", "aaab", true),
            ("(\\b()x)$", "(a(b)c)x", true),
            ("(\\b<>x)$", "<a<b>x", false),
            ("(\\b||x)$", "|a|x", true),
            ("(.*\\b||x)$", "|a|b|x", true),
            ("(\\\\)$", "\\", true),
            ("(\\.)$", "x", false),
            ("(\\x+)$", "fF09", true),
            ("(\\p\\s\\p)$", "! !", true),
            ("a$b", "a$b", true),
            ("(x)?", "y", false),
            ("(x)?", "x?", true),
            ("(\\z)", "\0", true),
            ("(\\Z)", "\0", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn whole() {
        let pattern = Pattern::parse(b"([a-z]+.)").unwrap();
        assert!(pattern.matches_whole(b"www."));
        assert!(!pattern.matches_whole(b"www.x"));
    }

    #[test]
    fn faults() {
        for (pattern, expected) in [
            ("(a\\", PatternError::DanglingEscape),
            ("(a[bc)", PatternError::UnclosedSet(2)),
            ("([", PatternError::UnclosedSet(1)),
            ("([a\\", PatternError::DanglingEscape),
            ("(\\b(", PatternError::UnfinishedBalance(1)),
        ] {
            assert_eq!(Pattern::parse(pattern.as_bytes()), Err(expected), "{pattern}");
        }
    }

    /// The textbook matcher: slow, but obviously right.
    fn naive(items: &[Item], to_end: bool, text: &[u8]) -> bool {
        let Some((item, rest)) = items.split_first() else {
            return !to_end || text.is_empty();
        };
        match item {
            Item::Balanced { open, close } => {
                let mut depth = 0;
                for (at, &byte) in text.iter().enumerate() {
                    if depth > 0 && byte == *close {
                        depth -= 1;
                    } else if byte == *open {
                        depth += 1;
                    }
                    match (at, depth) {
                        (0, 0) => return false,
                        (_, 0) => return naive(rest, to_end, &text[at + 1..]),
                        _ => {}
                    }
                }
                false
            }
            Item::Class(class, repeat) => {
                let run = text.iter().take_while(|byte| class.contains(**byte)).count();
                let counts = match repeat {
                    Repeat::Once => 1..=1,
                    Repeat::Optional => 0..=1,
                    Repeat::Any => 0..=run,
                    Repeat::Some => 1..=run,
                };
                counts.into_iter().any(|count| count <= run && naive(rest, to_end, &text[count..]))
            }
        }
    }

    proptest! {
        #[test]
        fn same_as_the_textbook(pattern in "[ab.*+?$()\\[\\]^\\\\d-]{0,8}", text in "[ab1()]{0,8}") {
            if let Ok(compiled) = Pattern::parse(pattern.as_bytes()) {
                let slow = naive(&compiled.items, compiled.to_end, text.as_bytes());
                prop_assert_eq!(compiled.matches_start(text.as_bytes()), slow);
            }
        }

        #[test]
        fn balance_same_as_the_textbook(text in "[ab()]{0,10}", pattern in "(\\.\\*)?\\\\b(\\(\\)|aa|ab)b?\\$?") {
            let compiled = Pattern::parse(pattern.as_bytes()).unwrap();
            let slow = naive(&compiled.items, compiled.to_end, text.as_bytes());
            prop_assert_eq!(compiled.matches_start(text.as_bytes()), slow);
        }

        #[test]
        fn never_panics(pattern in prop::collection::vec(any::<u8>(), 0..40), text in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(compiled) = Pattern::parse(&pattern) {
                compiled.matches_start(&text);
                compiled.matches_whole(&text);
            }
        }
    }

    #[test]
    fn hostile_text_takes_no_longer() {
        let pattern = Pattern::parse(".*a".repeat(30).as_bytes()).unwrap();
        assert!(!pattern.matches_start("b".repeat(100_000).as_bytes()));
    }
}
