//! Who is at work, for the audit log: the user, the machine and the command line.

use std::ffi::{OsStr, OsString};

use mongrel2::config::history::Entry;
use nix::unistd::{Uid, User};

/// The operator's side of an entry in the audit log.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The login name; with sudo that of the user behind it.
    pub who: String,
    /// The machine's name.
    pub location: String,
    /// The command line, quoted so that it can be typed again.
    pub how: String,
}

impl Operator {
    /// The one who has started this process with these arguments.
    pub fn current(arguments: &[OsString]) -> Self {
        Self { who: login(), location: hostname(), how: command_line(arguments) }
    }

    /// The entry for a command, with the reason if there is one.
    pub fn entry(&self, what: &str, why: Option<&str>) -> Entry {
        Entry {
            who: self.who.clone(),
            what: what.to_owned(),
            location: self.location.clone(),
            how: self.how.clone(),
            why: why.unwrap_or("command").to_owned(),
        }
    }
}

/// The machine's name.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn login() -> String {
    let uid = Uid::current();
    let behind_sudo = std::env::var("SUDO_USER").ok().filter(|name| uid.is_root() && !name.is_empty());
    behind_sudo.unwrap_or_else(|| user_name(uid))
}

fn user_name(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn command_line(arguments: &[OsString]) -> String {
    arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell would read it back.
pub fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        for (words, expected) in [
            (&["m2sh", "load", "-db", "a/b.sqlite"][..], "m2sh load -db a/b.sqlite"),
            (&["m2sh", "commit", "-why", "Testing things out."], "m2sh commit -why 'Testing things out.'"),
            (&["m2sh", "", "it's"], r"m2sh '' 'it'\''s'"),
            (&["m2sh", "$HOME", "ä"], "m2sh '$HOME' ä"),
        ] {
            assert_eq!(command_line(&words.iter().map(OsString::from).collect::<Vec<_>>()), expected);
        }
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        assert_eq!(user_name(Uid::from_raw(0)), "root");
        assert_eq!(user_name(Uid::from_raw(4_000_000_123)), "4000000123");
    }
}
