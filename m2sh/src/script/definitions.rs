//! What editors are told of the words of a configuration: a definition file of Rhai (`.d.rhai`), made of the manual's tables.

use std::fmt::Write as _;

use super::words::{NOUNS, Noun, VERBS, Verb};

const MANUAL: &str = include_str!("../../../docs/manual.md");

/// Where the manual has what is worth knowing of the other words.
const WORDS: &str = "## 3. The configuration language";

/// The text of the file.
pub fn definitions() -> String {
    let mut text =
        "//! The words of a mongrel2 configuration, as `m2sh definitions` has written them.\n\nmodule static;\n"
            .to_owned();
    NOUNS.into_iter().for_each(|noun| define(noun, &mut text));
    for Verb { name, signatures, .. } in &VERBS {
        for signature in *signatures {
            let call = format!("`{}`", called(name, signature));
            let row = rows(section(WORDS)).find(|row| row[0].contains(&call));
            comment(row.and_then(|row| row.into_iter().nth(1)).unwrap_or_default().trim(), &mut text);
            writeln!(text, "fn {name}{signature};").expect("a string takes everything");
        }
    }
    text
}

/// A noun, with its fields and what they mean.
fn define(noun: &Noun, text: &mut String) {
    let section = section(&format!("### {}", noun.name));
    let says = section.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default();
    comment(&linkless(says), text);
    for field in noun.fields {
        let row = rows(section).find(|row| row[0] == format!("`{}`", field.name));
        let wanted = field.kind.wanted();
        let line = match row.as_deref() {
            Some([_, _, default, meaning, ..]) if default == "needed" => format!("{wanted}, needed: {meaning}"),
            Some([_, _, default, meaning, ..]) => format!("{wanted}, by default {default}: {meaning}"),
            _ => wanted.to_owned(),
        };
        writeln!(text, "/// * `{}`: {}", field.name, line.trim_end_matches(": ")).expect("a string takes everything");
    }
    writeln!(text, "fn {}(fields: Map) -> {};", noun.name, noun.name).expect("a string takes everything");
}

fn comment(says: &str, text: &mut String) {
    writeln!(text, "\n/// {says}").expect("a string takes everything");
}

/// `env(name, default)` for `(name: String, default: ?) -> ?`.
fn called(name: &str, signature: &str) -> String {
    let parameters = signature.split(')').next().unwrap_or_default().trim_start_matches('(');
    let names: Vec<&str> = parameters.split(", ").filter_map(|parameter| parameter.split(':').next()).collect();
    format!("{name}({})", names.join(", "))
}

/// A section of the manual, from its heading to the next one.
fn section(heading: &str) -> &'static str {
    let from = MANUAL.find(&format!("\n{heading}\n")).map_or(MANUAL.len(), |at| at + 1);
    let rest = &MANUAL[from..];
    let end = rest.find("\n## ").into_iter().chain(rest.find("\n### ")).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The cells of the rows of its tables.
fn rows(section: &str) -> impl Iterator<Item = Vec<String>> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    rows.map(|row| row.split(" | ").map(|cell| linkless(cell.trim())).collect())
}

/// A text of the manual without what links lead to.
fn linkless(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("](") {
        let Some((_, behind)) = link.split_once(')') else { break };
        plain.push_str(&before.replacen('[', "", 1));
        rest = behind;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_defined_and_explained() {
        let text = definitions();
        for noun in NOUNS {
            assert!(text.contains(&format!("\nfn {0}(fields: Map) -> {0};\n", noun.name)), "{}", noun.name);
        }
        for line in [
            "/// A listening process.  Table `server`.\n/// * `uuid`: a string, needed: names the server among all others",
            "/// * `use_ssl`: true or false, by default `false`: whether the port speaks TLS; needs the setting `certdir`\n",
            "/// the machine's name\nfn hostname() -> String;\n",
            "fn env(name: String, default: ?) -> ?;\n",
        ] {
            assert!(text.contains(line), "no `{line}` in:\n{text}");
        }
        assert!(!text.contains("/// \n") && !text.contains("]("), "{text}");
    }

    #[test]
    fn links_are_their_text() {
        assert_eq!(linkless("see [hosts](#hosts), or [x](y) [z]"), "see hosts, or x [z]");
        assert_eq!(called("env", "(name: String, default: ?) -> ?"), "env(name, default)");
        assert_eq!(called("uuid", "() -> String"), "uuid()");
    }
}
