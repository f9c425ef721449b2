//! Files of a profile with several settings: a line `key value` for each, `#` begins a comment.

use super::Trouble;

/// The lines of one file.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    file: &'a str,
    lines: Vec<(usize, &'a str, &'a str)>,
}

impl<'a> Lines<'a> {
    /// Takes a file apart.
    pub(crate) fn of(file: &'a str, text: &'a str) -> Self {
        let lines = text.lines().enumerate().filter_map(|(index, line)| {
            let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            (!key.is_empty()).then_some((index + 1, key, value.trim()))
        });
        Self { file, lines: lines.collect() }
    }

    /// Gives each line to `take`, which knows the keys and says what is wrong with a value; `known` is for hints.
    pub(crate) fn each(
        &self,
        known: &[&str],
        troubles: &mut Vec<Trouble>,
        mut take: impl FnMut(&str, &str) -> Option<Result<(), String>>,
    ) {
        for (index, (number, key, value)) in self.lines.iter().enumerate() {
            let twice = self.lines[..index].iter().any(|(_, earlier, _)| earlier == key);
            let problem = match take(key, value) {
                None => unknown(key, known),
                Some(_) if twice => format!("`{key}` is there twice"),
                Some(Err(_)) if value.is_empty() => format!("`{key}` has no value"),
                Some(Err(problem)) => format!("`{key}`: {problem}"),
                Some(Ok(())) => continue,
            };
            troubles.push(Trouble { file: self.file.into(), line: Some(*number), problem });
        }
    }
}

fn unknown(key: &str, known: &[&str]) -> String {
    let near = known.iter().find(|name| strsim::damerau_levenshtein(name, key) <= 2);
    match near {
        Some(name) => format!("`{key}` is not known; did you mean `{name}`?"),
        None => format!("`{key}` is not known; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut troubles = Vec::new();
        let take = |key: &str, value: &str| (key == "delay").then(|| super::super::value::time(value).map(drop));
        Lines::of("restart", text).each(&["delay"], &mut troubles, take);
        let found: Vec<String> = troubles.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_are_keys_and_values() {
        check("", &[]);
        check("# nothing\n\n  delay\t5s # five\n", &[]);
        check("delai 5s", &["restart, line 1: `delai` is not known; did you mean `delay`?"]);
        check("\nwhatever", &["restart, line 2: `whatever` is not known; there are delay"]);
        check("delay", &["restart, line 1: `delay` has no value"]);
        check("delay 1s\ndelay 2s", &["restart, line 2: `delay` is there twice"]);
    }
}
