//! Who is at work, for the audit log: the user, the machine and the command line.

use std::ffi::{OsStr, OsString};

use mongrel2::config::history::{About, Entry};
use nix::unistd::{Uid, User};

/// Where sudo and doas name the user who has called them.
const BEHIND: [&str; 2] = ["SUDO_USER", "DOAS_USER"];

/// The operator's side of an entry in the audit log.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The user's name; with sudo or doas that of the user behind it.
    pub who: String,
    /// As whom the user logged in, if the kernel knows it.
    pub login: Option<String>,
    /// The user id of this process.
    pub uid: u32,
    /// The machine's name.
    pub location: String,
    /// The command line, quoted so that it can be typed again.
    pub how: String,
}

impl Operator {
    /// The one who has started this process with these arguments.
    pub fn current(arguments: &[OsString]) -> Self {
        let uid = Uid::current();
        let behind = BEHIND.map(|name| std::env::var(name).ok());
        Self {
            who: who(uid, behind),
            login: std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| login(&text)),
            uid: uid.as_raw(),
            location: hostname(),
            how: command_line(arguments),
        }
    }

    /// The entry for a command, with the reason if there is one.
    pub fn entry(&self, what: &str, why: Option<&str>) -> Entry {
        Entry {
            who: self.who.clone(),
            login: self.login.clone(),
            uid: Some(self.uid),
            about: About::Nothing,
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

/// The user behind sudo or doas is believed only where it is root who says so: anybody else can set a variable.
fn who(uid: Uid, behind: [Option<String>; 2]) -> String {
    let behind = behind.into_iter().flatten().find(|name| uid.is_root() && !name.is_empty());
    behind.unwrap_or_else(|| user_name(uid))
}

/// The name of a login uid, as the kernel writes it; the highest number is that there is none.
fn login(text: &str) -> Option<String> {
    let uid: u32 = text.trim().parse().ok()?;
    (uid != u32::MAX).then(|| user_name(Uid::from_raw(uid)))
}

/// The name of a user, or the number of one that has none.
pub fn user_name(uid: Uid) -> String {
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
    fn the_user_behind_sudo_is_named_by_root_only() {
        let (root, other) = (Uid::from_raw(0), Uid::from_raw(4_000_000_123));
        let zed = || Some("zed".to_owned());
        for (uid, behind, expected) in [
            (root, [zed(), None], "zed"),
            (root, [None, zed()], "zed"),
            (root, [Some(String::new()), None], "root"),
            (root, [None, None], "root"),
            (other, [zed(), zed()], "4000000123"),
        ] {
            assert_eq!(who(uid, behind), expected);
        }
    }

    #[test]
    fn a_login_is_known_or_not() {
        assert_eq!(login("4294967295"), None);
        assert_eq!(login("0\n").as_deref(), Some("root"));
        assert_eq!(login(""), None);
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        assert_eq!(user_name(Uid::from_raw(0)), "root");
        assert_eq!(user_name(Uid::from_raw(4_000_000_123)), "4000000123");
    }
}
