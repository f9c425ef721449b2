//! Which language a configuration file is in: told by how it begins, never by its name.

use super::original::{Kind, Token, tokens};
use super::trouble::{Trouble, Troubles};

/// A language of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// The original's own, or the manual's Python.
    Original,
    /// Rhai; not `sure` if it begins as no script does that could be loaded.
    Rhai { sure: bool },
}

/// The words that a script begins with.
const KEYWORDS: [&str; 15] = [
    "let", "const", "fn", "private", "export", "if", "for", "while", "loop", "do", "switch", "throw", "try", "import",
    "return",
];

/// Far enough to see how a file begins; longer comments are skipped as a whole.
const FAR: usize = 2000;

impl Language {
    /// The language of a text (the manual, section 3).
    pub(super) fn of(text: &str) -> Self {
        let (code, has_comment) = without_comments(text);
        if code.starts_with("//") || code.starts_with("/*") {
            return Self::Rhai { sure: !has_comment };
        }
        let beginning = code.char_indices().nth(FAR).map_or(code, |(end, _)| &code[..end]);
        let begins = tokens(beginning).tokens;
        match begins.as_slice() {
            [] if has_comment => Self::Original,
            [first, second, rest @ ..] if first.word().is_some() && second.is('=') => assigned(rest, code),
            [first, second, ..] if ["from", "import"].iter().any(|word| first.word() == Some(word)) => {
                if second.word().is_some() { Self::Original } else { Self::Rhai { sure: true } }
            }
            [first, ..] if first.word().is_some_and(|word| KEYWORDS.contains(&word)) => Self::Rhai { sure: true },
            [first, second, ..] => Self::Rhai { sure: first.word().is_some() && (second.is('(') || second.is(':')) },
            _ => Self::Rhai { sure: false },
        }
    }
}

/// The language of a text that begins with `name =` and goes on like `rest`.
fn assigned(rest: &[Token], code: &str) -> Language {
    let doubt = Language::Rhai { sure: false };
    match rest {
        // `name == …`
        [first, ..] if first.is('=') => doubt,
        // `Dir(#{`, of which `#…` is a comment to the original.
        [call, open, ..] if call.word().is_some() && open.is('(') => {
            let map = code.find('(').is_some_and(|at| code[at + 1..].trim_start().starts_with("#{"));
            if map { doubt } else { Language::Original }
        }
        [] => doubt,
        [first, ..] => {
            let statement = code.lines().next().unwrap_or_default();
            let ends = statement.split('#').next().unwrap_or_default().trim_end().ends_with(';');
            let is_value = match first.kind {
                Kind::Mark(mark) => "[{(-".contains(mark),
                _ => true,
            };
            if ends || !is_value { doubt } else { Language::Original }
        }
    }
}

/// A text without the blanks and the `#` comments that it begins with, and whether there is such a comment.
fn without_comments(text: &str) -> (&str, bool) {
    let mut code = text.trim_start_matches('\u{feff}').trim_start();
    let mut has_comment = false;
    while code.starts_with('#') && !code.starts_with("#{") && !code.starts_with("#\"") {
        has_comment = true;
        code = code.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    (code, has_comment)
}

/// What was told of a file as a script, and that it was taken for one.
pub(super) fn doubt(troubles: Troubles) -> Troubles {
    let message = "the file was taken for a Rhai script".to_owned();
    let hint = "one in the language of the original begins with `NAME = …` or a `#` comment";
    let note = Trouble { severity: super::Level::Note, ..Trouble::general(message, hint) };
    troubles.iter().cloned().chain([note]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_how_it_begins() {
        let (sure, unsure) = (Language::Rhai { sure: true }, Language::Rhai { sure: false });
        for (text, expected) in [
            ("main = Server(uuid='x')", Language::Original),
            ("main = Server(\n  # c\n  uuid='x')", Language::Original),
            ("main = Server(uuid: 'x')", Language::Original),
            ("# a comment\n\nmain = Server()", Language::Original),
            ("# nothing but a comment", Language::Original),
            ("port = 80\n", Language::Original),
            ("servers = [main]", Language::Original),
            ("settings = {'x': 1}", Language::Original),
            ("x = other", Language::Original),
            ("\u{feff}x = 'y'  # c;", Language::Original),
            ("from mongrel2.config import *\n", Language::Original),
            ("import mongrel2\n", Language::Original),
            ("import \"other\" as x;", sure),
            ("let main = 1;", sure),
            ("// main = Server(uuid='x')", sure),
            ("/* main */ x = 1", sure),
            ("fn f() {}", sure),
            ("commit([]);", sure),
            ("x::f();", sure),
            ("main = Server(#{ uuid: \"x\" });", unsure),
            ("main = Server( #{\n", unsure),
            ("port = 80;", unsure),
            ("x == 1", unsure),
            ("x =", unsure),
            ("# a comment\nlet x = 1;", sure),
            ("# a comment\n// another\n", unsure),
            ("{}", unsure),
            ("#{}", unsure),
            ("", unsure),
            ("\0\u{1}", unsure),
        ] {
            assert_eq!(Language::of(text), expected, "{text}");
        }
    }
}
