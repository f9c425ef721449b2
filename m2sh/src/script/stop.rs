//! What stopped a script, in our words: syntax errors, failed calls, limits, what a script throws.

use mongrel2::config::closest;
use rhai::{Dynamic, EvalAltResult, ImmutableString, LexError, Map, ParseErrorType, Position};

use super::engine::{LONGEST_RUN, MOST_CALLS, MOST_STEPS, MOST_VARIABLES};
use super::scan::Index;
use super::session::Session;
use super::source::Spot;
use super::words::{NOUNS, VERBS, kind_name};

/// An error of one of our words, which a script can catch: a map with `message` and `hint`.
pub(super) fn thrown(message: String, hint: String) -> Box<EvalAltResult> {
    let map = Map::from([("message".into(), message.into()), ("hint".into(), hint.into())]);
    EvalAltResult::ErrorRuntime(map.into(), Position::NONE).into()
}

/// Reports the error that stopped a script, in the file where it happened.
pub(super) fn report(session: &Session, error: &EvalAltResult) {
    let (error, spot) = innermost(session, error);
    let (message, hint) = tell(error, session.sources().index(spot));
    session.fault(spot, message, hint);
}

/// Follows calls and imports down to where the error happened.
fn innermost<'e>(session: &Session, error: &'e EvalAltResult) -> (&'e EvalAltResult, Spot) {
    let mut error = error;
    let mut source = None;
    let mut position = error.position();
    loop {
        let (from, inner) = match error {
            EvalAltResult::ErrorInFunctionCall(_, from, inner, _) | EvalAltResult::ErrorInModule(from, inner, _) => {
                (from, inner)
            }
            _ => return (error, session.sources().spot(source, position)),
        };
        if !inner.position().is_none() {
            position = inner.position();
            source = if from.is_empty() { source } else { Some(from) };
        }
        error = inner;
    }
}

type Told = (String, Option<String>);

fn told(message: impl Into<String>, hint: impl Into<String>) -> Told {
    (message.into(), Some(hint.into()))
}

fn tell(error: &EvalAltResult, index: &Index) -> Told {
    match error {
        EvalAltResult::ErrorParsing(error, _) => syntax(error),
        EvalAltResult::ErrorVariableNotFound(name, _) => variable(name, index),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => function(signature, index),
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            told(format!("nothing was imported as `{name}`"), format!("import \"{name}\" as {name};"))
        }
        EvalAltResult::ErrorRuntime(value, _) => said(value),
        EvalAltResult::ErrorTooManyOperations(_) => {
            told(format!("the script takes more than {MOST_STEPS} steps"), "look for a loop that never ends")
        }
        EvalAltResult::ErrorTerminated(..) => {
            let seconds = LONGEST_RUN.as_secs();
            told(format!("the script runs longer than {seconds} seconds"), "look for a loop that never ends")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            told(format!("calls nest more than {MOST_CALLS} deep"), "look for a function that calls itself")
        }
        EvalAltResult::ErrorTooManyVariables(_) => {
            told(format!("there are more than {MOST_VARIABLES} variables"), "use a list or a map")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            let limit = if what.contains("string") { "1 MiB" } else { "100000 entries" };
            told(format!("a value grows beyond {limit}"), "look for a loop that never ends")
        }
        EvalAltResult::ErrorNonPureMethodCallOnConstant(..) | EvalAltResult::ErrorAssignmentToConstant(..) => {
            told("a constant cannot be changed", "make it a variable with `let`")
        }
        EvalAltResult::ErrorArrayBounds(length, index, _) => {
            (format!("there is no entry {index} in a list of {length}"), None)
        }
        EvalAltResult::ErrorFor(_) => told("`for` cannot go through this", "give it a list, a string or a range"),
        other => (plain(&other.to_string()), None),
    }
}

fn variable(name: &str, index: &Index) -> Told {
    let message = format!("there is no variable `{name}`");
    if index.variables.contains(name) {
        return told(message, "a function sees no variables from outside: pass it as an argument");
    }
    let nouns = NOUNS.iter().map(|noun| noun.name);
    let known = index.variables.iter().map(String::as_str).chain(nouns);
    (message, closest(name, known).map(|name| format!("did you mean `{name}`?")))
}

/// Rhai writes what was called as `name (type, type)`.
fn function(signature: &str, index: &Index) -> Told {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types: Vec<_> =
        types.trim_end_matches(')').split(", ").filter(|name| !name.is_empty()).map(kind_name).collect();
    if let Some(usage) = usage(name) {
        return told(format!("`{name}` cannot be called like this"), usage);
    }
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return (format!("`{name}` does not work on {}", types.join(" and ")), None);
    }
    let message = match types.as_slice() {
        [] => format!("there is no function `{name}` without arguments"),
        types => format!("there is no function `{name}` for {}", types.join(" and ")),
    };
    let known = NOUNS.iter().map(|noun| noun.name).chain(VERBS.iter().map(|verb| verb.name)).chain(["push", "add"]);
    let known = known.chain(index.functions.iter().map(String::as_str));
    let hint = closest(name, known).filter(|close| *close != name).map(|close| format!("did you mean `{close}`?"));
    (message, hint)
}

/// How to use one of our words.
fn usage(name: &str) -> Option<String> {
    let verb = VERBS.iter().find(|verb| verb.name == name).map(|verb| verb.usage.to_owned());
    let noun = || NOUNS.iter().find(|noun| noun.name == name);
    verb.or_else(|| noun().map(|noun| format!("{name}(#{{{}: …}})", noun.fields[0].name)))
}

/// What a script or one of our words throws.
fn said(value: &Dynamic) -> Told {
    let Some(map) = value.read_lock::<Map>() else {
        return (format!("the script stops: {value}"), None);
    };
    let text = |key: &str| map.get(key)?.clone().try_cast::<ImmutableString>().map(|text| text.to_string());
    match text("message") {
        Some(message) => (message, text("hint").filter(|hint| !hint.is_empty())),
        None => (format!("the script stops: {value}"), None),
    }
}

fn syntax(error: &ParseErrorType) -> Told {
    let hint = match error {
        ParseErrorType::MissingToken(token, _) if token == ";" => Some("a statement ends with `;`"),
        ParseErrorType::MissingToken(token, place) if token == "," && place.contains("argument") => {
            Some("fields are written `Server(#{uuid: \"…\"})`, and arguments have a `,` between them")
        }
        ParseErrorType::MissingToken(token, _) if token == "}" || token == "," => Some("is a `,` missing before it?"),
        ParseErrorType::BadInput(LexError::UnterminatedString) => Some("a string ends with a `\"` on the same line"),
        ParseErrorType::BadInput(LexError::MalformedEscapeSequence(_)) => {
            Some("write a pattern with backslashes as #\"/(\\d+)\"#")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word == "eval" => {
            return told("`eval` is switched off", "write the code itself");
        }
        ParseErrorType::DuplicatedProperty(_) => Some("a map has each key once"),
        ParseErrorType::ExprTooDeep => Some("give parts of it to variables"),
        _ => None,
    };
    (plain(&error.to_string()), hint.map(str::to_owned))
}

/// Rhai's message as one of ours: without its position, in lower case, with names in backticks.
fn plain(message: &str) -> String {
    let message = message.rfind(" (line ").map_or(message, |end| &message[..end]);
    let mut letters = message.replace('\'', "`").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        first.make_ascii_lowercase();
    }
    letters.into_iter().collect()
}
