//! `m2sh complete`: what may be typed next, a candidate in each line, as the scripts of `m2sh completions` want it.
//!
//! Nothing is ever said on stderr: who types must not be disturbed.

use crate::args::{Complete, Shell};
use crate::complete::{Candidate, Typed, candidates, spelt};
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(args: &Complete, session: &mut Session) -> Result<Exit, Error> {
    for line in lines(args.shell, &args.words) {
        session.show.line(&line)?;
    }
    Ok(Exit::Success)
}

fn lines(shell: Shell, words: &[String]) -> Vec<String> {
    match (shell, words) {
        (Shell::Bash, [line, replaced, ..]) => {
            let (begun, found) = of_line(line);
            let kept = kept(&begun, replaced);
            let rest = |candidate: &Candidate| ended(candidate).get(kept..).unwrap_or_default().to_owned();
            found.iter().filter(|candidate| is_typable(candidate)).map(rest).collect()
        }
        (Shell::Zsh, [line, ..]) => {
            let (_, found) = of_line(line);
            let found = found.iter().filter(|candidate| is_typable(candidate));
            found.map(|candidate| with_help(&ended(candidate), candidate)).collect()
        }
        (Shell::Fish, [line, ..]) => {
            let (_, found) = of_line(line);
            let found = found.iter().filter(|candidate| is_typable(candidate));
            found.map(|candidate| with_help(&candidate.text, candidate)).collect()
        }
        (Shell::Elvish | Shell::Powershell, [before @ .., begun]) => {
            let found = candidates(before, begun, None);
            found.into_iter().filter(is_typable).map(|candidate| candidate.text).collect()
        }
        _ => Vec::new(),
    }
}

/// The word that a line ends with as it was typed, and what it may become; the first word is the program.
fn of_line(line: &str) -> (String, Vec<Candidate>) {
    let Typed { before, start, begun } = Typed::parse(line);
    let found = before.split_first().map(|(_, before)| candidates(before, &begun, None));
    (line[start..].to_owned(), found.unwrap_or_default())
}

/// bash takes only the end of a word for the one to be replaced if there is `=` or `:` in it: the length of what stays.
fn kept(begun: &str, replaced: &str) -> usize {
    // Right behind such a character bash names that one, and replaces nothing.
    let replaced = if ["=", ":"].contains(&replaced) { "" } else { replaced };
    begun.strip_suffix(replaced).map_or(0, str::len)
}

fn ended(candidate: &Candidate) -> String {
    format!("{}{}", spelt(&candidate.text), if candidate.is_whole { " " } else { "" })
}

fn with_help(word: &str, candidate: &Candidate) -> String {
    format!("{word}\t{}", crate::show::escape(&candidate.help))
}

/// A name may come from anywhere; a line has one candidate.
fn is_typable(candidate: &Candidate) -> bool {
    !candidate.text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shell: Shell, words: &[&str], expected: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(lines(shell, &words), expected, "{words:?}");
    }

    #[test]
    fn each_shell_gets_its_form() {
        check(Shell::Bash, &["m2sh relo", "relo"], &["reload "]);
        check(Shell::Bash, &["m2sh stop -mu", "-mu"], &["-murder "]);
        check(Shell::Bash, &["./m2sh --db=x relo", "relo"], &["reload "]);
        check(
            Shell::Zsh,
            &["m2sh stop --mu"],
            &["--murder \tDo not wait for answers in progress, and kill what does not end within two seconds"],
        );
        check(Shell::Fish, &["m2sh relo"], &["reload\tLet a server read its configuration again"]);
        check(Shell::Elvish, &["stop", "-mu"], &["-murder"]);
        check(Shell::Powershell, &["relo"], &["reload"]);
        check(Shell::Bash, &["m2s", "m2s"], &[]);
        check(Shell::Bash, &[], &[]);
    }

    #[test]
    fn bash_replaces_what_is_behind_an_equals_sign() {
        check(Shell::Bash, &["m2sh load --config=src/lib.r", "src/lib.r"], &["src/lib.rs "]);
        check(Shell::Bash, &["m2sh load -config=src/lib.r", "src/lib.r"], &["src/lib.rs "]);
        assert_eq!((kept("--config=", "="), kept("-uuid=a:b", "b"), kept("x", "y")), (9, 8, 0));
    }
}
