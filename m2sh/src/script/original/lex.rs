//! From a text to tokens: names, strings, numbers and marks, each with its place.
//!
//! A backslash keeps the character behind it from ending a string and stays in the string, as the original has
//! it.  In the manual's Python, which a file is from its first `from`, escapes are undone.

use std::iter::Peekable;
use std::str::Chars;

use super::Fault;
use crate::script::lex::At;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::script) struct Token {
    /// Where it begins.
    pub(in crate::script) at: At,
    /// How many characters it has on its first line.
    pub(super) width: usize,
    /// What it is.
    pub(in crate::script) kind: Kind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::script) enum Kind {
    /// A name.
    Word(String),
    /// A string of any kind.
    Text(String),
    /// Digits.
    Number(String),
    /// Anything else.
    Mark(char),
}

impl Token {
    /// The name that it is.
    pub(in crate::script) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether it is that mark.
    pub(in crate::script) fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    /// What it is, in words.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::Word(word) => format!("`{word}`"),
            Kind::Text(_) => "a string".into(),
            Kind::Number(number) => format!("`{number}`"),
            Kind::Mark(mark) => format!("`{mark}`"),
        }
    }
}

/// A text in pieces.
#[derive(Debug)]
pub(in crate::script) struct Lexed {
    /// Its tokens; something in place of those that are none.
    pub(in crate::script) tokens: Vec<Token>,
    /// What is no token.
    pub(super) faults: Vec<Fault>,
    /// Whether the last string has an end; without, there's no telling what is in it.
    pub(super) ends: bool,
}

/// All tokens of a text.
pub(in crate::script) fn tokens(text: &str) -> Lexed {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let mut lexer = Lexer { rest, at: (1, 1), python: false, ends: true, faults: Vec::new() };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token() {
        lexer.python |= tokens.is_empty() && token.word() == Some("from");
        tokens.push(token);
    }
    Lexed { tokens, faults: lexer.faults, ends: lexer.ends }
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    at: At,
    /// Whether escapes are undone.
    python: bool,
    ends: bool,
    faults: Vec<Fault>,
}

/// The marks that mean something.
const MARKS: &str = "=:,.()[]{}+-*/";
/// Nobody reads more, and a file that is none could make millions.
const MOST_FAULTS: usize = 50;

impl Lexer<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.at = if c == '\n' { (self.at.0 + 1, 1) } else { (self.at.0, self.at.1 + 1) };
        Some(c)
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        if wanted(*self.rest.peek()?) { self.take() } else { None }
    }

    fn fault(&mut self, at: At, message: String, hint: &'static str) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault::new(at, message, hint));
        }
    }

    fn token(&mut self) -> Option<Token> {
        loop {
            self.skip();
            let at = self.at;
            let first = self.take()?;
            let Some(kind) = self.kind(first, at) else { continue };
            let width = if self.at.0 == at.0 { self.at.1 - at.1 } else { 1 };
            return Some(Token { at, width, kind });
        }
    }

    /// Goes past blanks, comments and lines that a backslash joins.
    fn skip(&mut self) {
        loop {
            while self.take_if(char::is_whitespace).is_some() {}
            if self.take_if(|c| c == '#').is_none() {
                return;
            }
            while self.take_if(|c| c != '\n').is_some() {}
        }
    }

    fn kind(&mut self, first: char, at: At) -> Option<Kind> {
        match first {
            '"' | '\'' | '`' => Some(Kind::Text(self.text(first, false, at))),
            'r' | 'R' if self.rest.peek().is_some_and(|c| ['"', '\''].contains(c)) => {
                let quote = self.take().expect("it was seen");
                Some(Kind::Text(self.text(quote, true, at)))
            }
            c if c.is_ascii_digit() => Some(Kind::Number(self.number(c, at))),
            c if c.is_alphabetic() || c == '_' => Some(Kind::Word(self.word(c))),
            c if MARKS.contains(c) => Some(Kind::Mark(c)),
            '\\' if self.rest.peek().is_some_and(|c| ['\n', '\r'].contains(c)) => None,
            c => {
                let hint = match c {
                    ';' => "nothing stands between two assignments but a new line",
                    _ => "a comment begins with `#`, a string with `'` or `\"`",
                };
                self.fault(at, format!("`{}` means nothing here", c.escape_debug()), hint);
                None
            }
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(c) = self.take_if(|c| c.is_alphanumeric() || c == '_') {
            word.push(c);
        }
        word
    }

    fn number(&mut self, first: char, at: At) -> String {
        let mut number = self.word(first);
        if self.take_if(|c| c == '.').is_some() {
            number.push('.');
            number.push_str(&self.word(' '));
        }
        if number.bytes().all(|byte| byte.is_ascii_digit()) {
            return number;
        }
        self.fault(at, format!("`{}` is not a number", number.replace(' ', "")), "numbers are whole, in digits");
        "0".into()
    }

    /// What is between the quotes, the first of which is behind.
    fn text(&mut self, quote: char, raw: bool, at: At) -> String {
        let mut quotes = 1;
        while quote != '`' && quotes < 3 && self.take_if(|c| c == quote).is_some() {
            quotes += 1;
        }
        if quotes == 2 {
            return String::new();
        }
        let mut text = String::new();
        let mut closing = 0;
        while closing < quotes {
            let Some(c) = self.take() else {
                self.fault(at, "this string has no end".into(), "it ends with the quote that it begins with");
                self.ends = false;
                return text;
            };
            closing = if c == quote { closing + 1 } else { 0 };
            text.push(c);
            if c == '\\' {
                self.escape(&mut text, raw);
            }
        }
        text.truncate(text.len() - quotes);
        text
    }

    /// The character behind a backslash, which is the last of `text`.
    fn escape(&mut self, text: &mut String, raw: bool) {
        let Some(c) = self.take() else { return };
        let undone = match c {
            _ if raw || !self.python => None,
            '\\' | '\'' | '"' => Some(c),
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            _ => None,
        };
        if undone.is_some() {
            text.pop();
        }
        text.push(undone.unwrap_or(c));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Kind]) {
        let Lexed { tokens, faults, .. } = tokens(text);
        assert_eq!(tokens.into_iter().map(|token| token.kind).collect::<Vec<_>>(), expected, "{text}");
        assert!(faults.is_empty(), "{text}: {faults:?}");
    }

    fn string(text: &str) -> Kind {
        Kind::Text(text.into())
    }

    #[test]
    fn strings_are_what_the_original_makes_of_them() {
        for (text, expected) in [
            ("''", ""),
            ("\"\"", ""),
            ("'a\"b'", "a\"b"),
            (r"'a\d\n'", r"a\d\n"),
            (r"'a\'b'", r"a\'b"),
            (r#""\\""#, r"\\"),
            ("'a#b\nc'", "a#b\nc"),
            ("`/(.*)`", "/(.*)"),
            (r"r'\d'", r"\d"),
            (r#"r"\d""#, r"\d"),
            ("'''a'b\n''c'''", "a'b\n''c"),
            ("\"\"\"a\"\"\"", "a"),
        ] {
            check(text, &[string(expected)]);
        }
    }

    #[test]
    fn pythons_escapes_are_undone() {
        let tokens = tokens(r"from x import * '\'\\\n\d' r'\\'").tokens;
        assert_eq!(tokens[4].kind, string("'\\\n\\d"));
        assert_eq!(tokens[5].kind, string("\\\\"));
    }

    #[test]
    fn everything_else() {
        let word = |word: &str| Kind::Word(word.into());
        let number = |number: &str| Kind::Number(number.into());
        check("# a\nb_1=08 # c", &[word("b_1"), Kind::Mark('='), number("08")]);
        check("a\\\r\nb", &[word("a"), word("b")]);
        check("2*3", &[number("2"), Kind::Mark('*'), number("3")]);
        check("# no end of line", &[]);
    }

    #[test]
    fn what_is_no_token() {
        for text in ["'a", "'''a''", "r'", "1.5", "0x10", ";", "a @ b", "'\\"] {
            assert_eq!(tokens(text).faults.len(), 1, "{text}");
        }
        assert_eq!(tokens(&"$".repeat(100_000)).faults.len(), MOST_FAULTS);
    }
}
