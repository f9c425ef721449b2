//! Where secrets come from: `secret("NAME")` is the variable `NAME`, or the file that `NAME_FILE` names, or the file `NAME` in
//! the folder of systemd's credentials.
//!
//! A script never sees the value, only what refers to it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use mongrel2::config::secret::is_name;

use super::Facts;

/// A file that is longer, in bytes, is no secret.
const LONGEST: u64 = 1 << 16;

/// The folder of systemd's credentials (systemd.exec(5), "Credentials").
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The value of a secret.
///
/// # Errors
/// What is wrong, and what to do about it.
pub(super) fn find(name: &str, facts: &Facts) -> Result<String, (String, String)> {
    if !is_name(name) {
        let hint = "it has letters, digits, `_`, `-` and `.`, as in `secret(\"TOKEN\")`";
        return Err((format!("`{name}` cannot be the name of a secret"), hint.into()));
    }
    let value = match (facts.variables.get(name), file(name, facts)) {
        (Some(value), _) => value.clone(),
        (None, Some(path)) => read(&path)
            .map_err(|error| (format!("cannot read secret `{name}` from `{}`: {error}", path.display()), set(name)))?,
        (None, None) => return Err((format!("there is no secret `{name}`"), set(name))),
    };
    if value.is_empty() { Err((format!("secret `{name}` is empty"), set(name))) } else { Ok(value) }
}

fn set(name: &str) -> String {
    format!("set the variable `{name}`, or `{name}_FILE` to the path of a file that holds it")
}

/// The file that holds a secret, if one is named for it.
fn file(name: &str, facts: &Facts) -> Option<PathBuf> {
    let named = facts.variables.get(&format!("{name}_FILE")).map(PathBuf::from);
    let credential = || facts.variables.get(CREDENTIALS).map(|folder| Path::new(folder).join(name));
    named.or_else(|| credential().filter(|path| path.exists()))
}

/// A file's text, without the line's end behind it.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it is too long for a secret"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn facts(variables: &[(&str, &str)]) -> Facts {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Facts { variables: variables.collect(), ..Facts::default() }
    }

    #[test]
    fn a_variable_comes_first_then_a_file_then_a_credential() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("other"), "from a file\r\n").unwrap();
        fs::write(path("TOKEN"), "a credential\n\n").unwrap();
        let (file, credentials) = (("TOKEN_FILE", &*path("other")), (CREDENTIALS, folder.path().to_str().unwrap()));
        let of = |variables: &[_]| find("TOKEN", &facts(variables));
        assert_eq!(of(&[("TOKEN", "x"), file, credentials]).unwrap(), "x");
        assert_eq!(of(&[file, credentials]).unwrap(), "from a file");
        assert_eq!(of(&[credentials]).unwrap(), "a credential\n");
    }

    #[test]
    fn what_is_no_secret_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("long"), "x".repeat(70_000)).unwrap();
        for (name, variables, expected) in [
            ("TOKEN", facts(&[]), "there is no secret `TOKEN`"),
            ("TOKEN", facts(&[(CREDENTIALS, "/nowhere")]), "there is no secret `TOKEN`"),
            ("TOKEN", facts(&[("TOKEN", "")]), "secret `TOKEN` is empty"),
            ("TOKEN", facts(&[("TOKEN_FILE", &path("none"))]), "No such file"),
            ("TOKEN", facts(&[("TOKEN_FILE", &path("long"))]), "too long"),
            ("../etc/passwd", facts(&[(CREDENTIALS, "/etc")]), "cannot be the name of a secret"),
        ] {
            let (message, _) = find(name, &variables).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
