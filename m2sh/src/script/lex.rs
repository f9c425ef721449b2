//! A script's text as tokens: enough of Rhai's lexis to tell words from strings, comments and brackets.

use std::iter::Peekable;
use std::str::Chars;

/// A line and a column, both from 1; columns count characters.
pub(super) type At = (usize, usize);

/// A word, a string or a mark.
pub(super) struct Token {
    /// Where it begins.
    pub(super) at: At,
    /// How many characters it has on its first line.
    pub(super) width: usize,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a token is.
pub(super) enum Kind {
    /// An identifier, a keyword or a number.
    Word(String),
    /// A string, with the commonest escapes undone.
    Text(String),
    /// `#{`
    Map,
    /// Anything else, character by character; `::` is NUL, since it is no `:`.
    Mark(char),
}

impl Token {
    /// The word that it is.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether it is a word.
    pub(super) fn is_word(&self) -> bool {
        self.word().is_some()
    }

    /// Whether it is that mark.
    pub(super) fn is(&self, mark: char) -> bool {
        matches!(self.kind, Kind::Mark(found) if found == mark)
    }
}

/// All tokens of a text; comments are none.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: text.chars().peekable(), at: (1, 1) };
    std::iter::from_fn(|| lexer.token()).collect()
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    at: At,
}

impl Lexer<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.at = if c == '\n' { (self.at.0 + 1, 1) } else { (self.at.0, self.at.1 + 1) };
        Some(c)
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        if wanted(*self.rest.peek()?) { self.take() } else { None }
    }

    fn token(&mut self) -> Option<Token> {
        loop {
            while self.take_if(char::is_whitespace).is_some() {}
            let at = self.at;
            let Some(kind) = self.kind()? else { continue };
            let width = if self.at.0 == at.0 { self.at.1 - at.1 } else { 1 };
            return Some(Token { at, width, kind });
        }
    }

    /// The next token; nothing inside if it was a comment, nothing at all at the end.
    fn kind(&mut self) -> Option<Option<Kind>> {
        let first = self.take()?;
        Some(Some(match first {
            '/' if self.take_if(|c| c == '/').is_some() => {
                while self.take_if(|c| c != '\n').is_some() {}
                return Some(None);
            }
            '/' if self.take_if(|c| c == '*').is_some() => {
                self.comment();
                return Some(None);
            }
            '"' | '`' | '\'' => Kind::Text(self.text(first)),
            '#' if self.take_if(|c| c == '{').is_some() => Kind::Map,
            '#' => self.raw(),
            ':' if self.take_if(|c| c == ':').is_some() => Kind::Mark('\0'),
            c if c.is_alphanumeric() || c == '_' => Kind::Word(self.word(c)),
            c => Kind::Mark(c),
        }))
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(c) = self.take_if(|c| c.is_alphanumeric() || c == '_') {
            word.push(c);
        }
        word
    }

    /// Comments nest.
    fn comment(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            match self.take() {
                Some('*') if self.take_if(|c| c == '/').is_some() => depth -= 1,
                Some('/') if self.take_if(|c| c == '*').is_some() => depth += 1,
                Some(_) => (),
                None => return,
            }
        }
    }

    fn text(&mut self, quote: char) -> String {
        let mut text = String::new();
        while let Some(c) = self.take() {
            match c {
                '\\' if quote != '`' => text.extend(self.take().map(unescaped)),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        text
    }

    /// `#"…"#`, with as many `#` behind as before; nothing in it is special.
    fn raw(&mut self) -> Kind {
        let mut hashes = 1;
        while self.take_if(|c| c == '#').is_some() {
            hashes += 1;
        }
        if self.take_if(|c| c == '"').is_none() {
            return Kind::Mark('#');
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let mut text = String::new();
        while let Some(c) = self.take() {
            text.push(c);
            if text.ends_with(&end) {
                text.truncate(text.len() - end.len());
                break;
            }
        }
        Kind::Text(text)
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        c => c,
    }
}
