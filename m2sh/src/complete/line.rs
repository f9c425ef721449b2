//! A line that is being typed, with the quoting of a POSIX shell: the words before the one that has been begun, and that one.

/// What has been typed up to the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The words that are complete.
    pub before: Vec<String>,
    /// Where the one that has been begun begins, in bytes.
    pub start: usize,
    /// What it is so far, without its quotes.
    pub begun: String,
}

/// In what the end of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Plain,
    Single,
    Double,
    /// Behind a backslash.
    Escape,
    /// The same in double quotes.
    DoubleEscape,
}

impl Typed {
    /// Takes a line apart.
    pub fn parse(line: &str) -> Self {
        let (start, within) = last_word(line);
        let (before, begun) = line.split_at(start);
        // A quote is closed, and a lone backslash stands for nothing yet.
        let closed = match within {
            Within::Plain => begun.to_owned(),
            Within::Single => format!("{begun}'"),
            Within::Double => format!("{begun}\""),
            Within::Escape => begun[..begun.len() - 1].to_owned(),
            Within::DoubleEscape => format!("{}\"", &begun[..begun.len() - 1]),
        };
        let words = |text: &str| shlex::split(text).unwrap_or_default();
        Self { before: words(before), start, begun: words(&closed).pop().unwrap_or_default() }
    }
}

/// A word as it has to be typed, so that more can be typed behind it.
pub fn spelt(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    let mut spelt = String::with_capacity(word.len());
    for c in word.chars() {
        spelt.extend((!is_plain(c)).then_some('\\').into_iter().chain([c]));
    }
    spelt
}

/// Where the last word begins, and in what it ends.
fn last_word(line: &str) -> (usize, Within) {
    let (mut start, mut within) = (0, Within::Plain);
    for (at, c) in line.char_indices() {
        within = match (within, c) {
            (Within::Plain, ' ' | '\t' | '\n') => {
                start = at + 1;
                Within::Plain
            }
            (Within::Plain, '\'') => Within::Single,
            (Within::Plain, '"') => Within::Double,
            (Within::Plain, '\\') => Within::Escape,
            (Within::Double, '\\') => Within::DoubleEscape,
            (Within::Single, '\'') | (Within::Double, '"') | (Within::Escape, _) => Within::Plain,
            (Within::DoubleEscape, _) => Within::Double,
            (same, _) => same,
        };
    }
    (start, within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spelt_is_read_back() {
        for word in ["plain", "two words", "it's", "$HOME \"#&\\", "ä/ö"] {
            assert_eq!(shlex::split(&spelt(word)), Some(vec![word.to_owned()]), "{word}");
        }
    }

    #[test]
    fn words_so_far() {
        for (line, before, begun) in [
            ("", "", ""),
            ("sta", "", "sta"),
            ("start ", "start", ""),
            ("start -name 'two wo", "start|-name", "two wo"),
            ("start -name \"two wo", "start|-name", "two wo"),
            ("start -name \"a\\\" wo", "start|-name", "a\" wo"),
            ("start -name two\\ wo", "start|-name", "two wo"),
            ("start -name two\\", "start|-name", "two"),
            ("commit -what 'a b' -w", "commit|-what|a b", "-w"),
            ("load -config=ä", "load", "-config=ä"),
        ] {
            let typed = Typed::parse(line);
            assert_eq!((&typed.before.join("|")[..], &typed.begun[..]), (before, begun), "{line}");
        }
        assert_eq!(Typed::parse("start -name two\\ wo").start, 12);
        assert_eq!(Typed::parse("# wha").before, [""; 0]);
    }
}
