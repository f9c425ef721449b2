//! The profile of a service: a folder that procer reads.
//!
//! `run` is a program that ends when the service is in the background, `pid_file` names the file with its PID, `depends` the
//! profiles that have to run before, and `restart` is there if it is to be started again.  A profile appears as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::operator::quoted;

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, which is that of its folder.
    pub name: String,
    /// The text of the program `run`.
    pub run: String,
    /// The path of the file with the service's PID.
    pub pid_file: String,
    /// Whether it is to be started again when it has ended.
    pub restart: bool,
    /// The profiles that have to run before.
    pub depends: Vec<String>,
}

impl Profile {
    /// Writes the folder, where there is none.
    ///
    /// # Errors
    /// There is one already, or it can't be written.
    pub fn write(&self, profiles: &Path) -> io::Result<()> {
        let folder = profiles.join(&self.name);
        if folder.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // procer takes no folder for a profile whose name begins with a dot.
        let draft = profiles.join(format!(".{}.new", self.name));
        let written = self.fill(&draft).and_then(|()| fs::rename(&draft, &folder));
        if written.is_err() {
            // What is left of it harms nobody.
            let _ = fs::remove_dir_all(&draft);
        }
        written
    }

    fn fill(&self, folder: &Path) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(folder)?,
        }
        fs::write(folder.join("run"), &self.run)?;
        fs::set_permissions(folder.join("run"), fs::Permissions::from_mode(0o755))?;
        fs::write(folder.join("pid_file"), format!("{}\n", self.pid_file))?;
        fs::write(folder.join("depends"), self.depends.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        if self.restart { fs::write(folder.join("restart"), "") } else { Ok(()) }
    }
}

/// The program `run` for a command that stays in the foreground: puts it in the background, and tells its PID.
pub fn in_background(folder: &Path, command: &str) -> String {
    let shell = quoted(format!("exec {command}").as_ref());
    format!(
        "#!/bin/sh\n# Puts a program in the background, and tells procer its PID.\ncd {} || exit\n\
         nohup sh -c {shell} < /dev/null &\necho $! > \"$PROCER_PIDFILE\"\n",
        quoted(folder.as_os_str())
    )
}

/// The program `run` for a command that goes into the background and writes its PID file by itself.
pub fn as_it_is(folder: &Path, command: &str) -> String {
    let folder = quoted(folder.as_os_str());
    format!(
        "#!/bin/sh\n# Runs a program that goes into the background by itself.\ncd {folder} || exit\nexec {command}\n"
    )
}

/// What is wrong with a name, if something is.
pub fn fault(name: &str) -> Option<&'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match name {
        "" => Some("it is empty"),
        name if name.starts_with(['.', '-']) => Some("it begins with a dot or a dash"),
        name if !name.chars().all(is_plain) => Some("letters, digits, `-`, `_` and `.` make a name"),
        name if name.len() > 64 => Some("it is longer than 64 characters"),
        _ => None,
    }
}

/// The profiles of a folder, and what each depends on.
///
/// # Errors
/// The folder can't be read.
pub fn all(profiles: &Path) -> io::Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(profiles)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && fault(&name).is_none() {
            // A profile without the file depends on nothing.
            let depends = fs::read_to_string(entry.path().join("depends")).unwrap_or_default();
            all.insert(name, depends.split_whitespace().map(str::to_owned).collect());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            name: "web".into(),
            run: as_it_is(Path::new("/srv/it's"), "web --daemon"),
            pid_file: "/srv/web.pid".into(),
            restart: true,
            depends: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn a_folder_has_what_procer_reads() {
        let folder = tempfile::tempdir().unwrap();
        profile().write(folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join("web").join(name)).unwrap();
        assert!(
            read("run").starts_with("#!/bin/sh\n")
                && read("run").ends_with("cd '/srv/it'\\''s' || exit\nexec web --daemon\n")
        );
        assert_eq!(
            (read("pid_file"), read("depends"), read("restart")),
            ("/srv/web.pid\n".into(), "a\nb\n".into(), String::new())
        );
        let mode = |name: &str| folder.path().join("web").join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("run"), 0o755);
        assert_eq!(all(folder.path()).unwrap(), [("web".to_owned(), vec!["a".to_owned(), "b".to_owned()])].into());
        let again = Profile { restart: false, ..profile() }.write(folder.path()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn names() {
        for name in ["web", "web-2", "a.b_c", "0"] {
            assert_eq!(fault(name), None, "{name}");
        }
        for name in ["", ".hidden", "-x", "a b", "a/b", "ä", "..", &"x".repeat(65)] {
            assert!(fault(name).is_some(), "{name}");
        }
    }
}
