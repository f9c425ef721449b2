//! Runs a configuration in the original's own language: what its m2sh took, and what the manual's Python looks like.
//!
//! A text comes in, the same objects as from a Rhai script go to the session, and `build` checks them, so that
//! faults are told alike.  `lex` → `parse` → `evaluate`; `tree` is what is between the last two.  Files are not
//! included by one another, and nothing is asked of the world.

mod evaluate;
mod hint;
mod index;
mod lex;
mod parse;
mod tree;

use std::path::Path;
use std::rc::Rc;

use super::Outcome;
use super::build;
use super::lex::At;
use super::session::Session;
use super::trouble::{Trouble, Troubles};

pub(super) use lex::{Kind, Lexed, Token, tokens};

/// What is wrong with a text, before it is known what it says.
#[derive(Debug)]
pub(super) struct Fault {
    at: At,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(at: At, message: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Self {
        Self { at, message: message.into(), hint: hint.into().map(str::to_owned) }
    }
}

/// Runs the text of the file at `path`.
///
/// # Errors
/// All that is wrong with its syntax, or else all that is wrong with what it says.
pub(super) fn run(path: &Path, text: &str) -> Result<Outcome, Troubles> {
    let Lexed { tokens, mut faults, ends } = tokens(text);
    let (statements, more) = parse::statements(&tokens);
    if ends {
        faults.extend(more);
    }
    let session = Rc::new(Session::indexed(path, text, index::of(&tokens, &statements)));
    if faults.is_empty() {
        evaluate::evaluate(&statements, &session);
    }
    for Fault { at, message, hint } in faults {
        session.fault(session.sources().at(at), message, hint);
    }
    match build::outcome(&session) {
        Ok(outcome) => Ok(Outcome { notes: reworded(&outcome.notes), ..outcome }),
        Err(troubles) => Err(reworded(&troubles)),
    }
}

/// The comment that a text begins with, without its `#`.
pub(super) fn head(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
    lines.map_while(|line| line.strip_prefix('#')).map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
}

fn reworded(troubles: &Troubles) -> Troubles {
    let hint = |trouble: &Trouble| trouble.hint.as_deref().map(hint::reworded);
    troubles.iter().map(|trouble| Trouble { hint: hint(trouble), ..trouble.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::script::language::Language;

    const PIECES: &str = "([abs]=|[abs] |Dir\\(|Server\\(|Host\\(|name=|hosts=|routes=|servers=|settings=|a\\.hosts\\.add\\(|\
        commit\\(|from |r'|'''|'[/a]'|[\\[\\]{}(),:=.'\"#\\\\`\n0-9*/+-]|é){0,40}";

    proptest! {
        #[test]
        fn no_text_panics(text in PIECES, other in any::<String>()) {
            for text in [text, other] {
                Language::of(&text);
                head(&text);
                if let Ok(outcome) = run(Path::new("config"), &text) {
                    prop_assert!(outcome.notes.iter().all(|note| note.severity == crate::script::Level::Note));
                }
            }
        }
    }

    #[test]
    fn the_head_is_the_first_comment() {
        for (text, expected) in
            [("", [].as_slice()), ("a = 1\n# b", &[]), ("\n# a\n#b\n#\n#  c\n\n# d", &["a", "b", "", " c"])]
        {
            assert_eq!(head(text), expected, "{text}");
        }
    }
}
