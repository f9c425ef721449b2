//! The profile of a service: a folder that procer reads.
//!
//! `run` is a program that ends when the service is in the background, and `pid_file` names the file with its PID; or there is
//! no `pid_file`, and `run` becomes the service.  `depends` has the profiles that have to run before, and `restart` is there if
//! it is to be started again.  A profile appears as a whole.  `profile/run.rs` has the texts of `run`.

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::Error;

use run::serving;
pub use run::{as_it_is, in_background, in_foreground, this_program};

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, which is that of its folder.
    pub name: String,
    /// The text of the program `run`.
    pub run: String,
    /// The path of the file with the service's PID; `None` if `run` stays in the foreground.
    pub pid_file: Option<String>,
    /// Whether it is to be started again when it has ended.
    pub restart: bool,
    /// The profiles that have to run before.
    pub depends: Vec<String>,
    /// Further files, by their names.
    pub more: Vec<(&'static str, String)>,
}

/// The files that say something about a service, whether a profile has them or not.
const FILES: [&str; 6] = ["run", "pid_file", "depends", "restart", "start_timeout", "down"];

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
        self.files().iter().try_for_each(|(name, text)| put(&folder.join(name), text))
    }

    /// Makes the folder what it shall be, and leaves alone what is so already: who has changed nothing is not restarted.
    ///
    /// # Errors
    /// It can't be read or written.
    pub fn renew(&self, profiles: &Path) -> io::Result<()> {
        let folder = profiles.join(&self.name);
        if folder.symlink_metadata().is_err() {
            return self.write(profiles);
        }
        let files = self.files();
        for (name, text) in &files {
            if fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text) {
                let draft = folder.join(format!(".{name}.new"));
                put(&draft, text)?;
                fs::rename(&draft, folder.join(name))?;
            }
        }
        let others = FILES.iter().filter(|name| !files.iter().any(|(file, _)| file == *name));
        others.into_iter().try_for_each(|name| match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// Its files, by name.
    fn files(&self) -> Vec<(&'static str, String)> {
        let depends = self.depends.iter().map(|name| format!("{name}\n")).collect();
        let mut files = vec![("run", self.run.clone()), ("depends", depends)];
        files.extend(self.pid_file.iter().map(|path| ("pid_file", format!("{path}\n"))));
        files.extend(self.restart.then(|| ("restart", String::new())));
        files.extend(self.more.iter().cloned());
        files
    }
}

/// Writes a file of a profile; `run` is executable, whatever it is called for now.
fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    if text.starts_with("#!") { fs::set_permissions(path, fs::Permissions::from_mode(0o755)) } else { Ok(()) }
}

/// The profile of a server that this m2sh starts, with the database in the folder.
///
/// # Errors
/// The system can't say which program this is.
pub fn of_server(name: &str, folder: &str, uuid: &str, pid_file: String) -> Result<Profile, Error> {
    Ok(Profile {
        name: name.to_owned(),
        run: serving(folder.as_ref(), uuid)?,
        pid_file: Some(pid_file),
        restart: true,
        depends: Vec::new(),
        more: Vec::new(),
    })
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
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn profile() -> Profile {
        Profile {
            name: "web".into(),
            run: as_it_is(Path::new("/srv/it's"), "web --daemon"),
            pid_file: Some("/srv/web.pid".into()),
            restart: true,
            depends: vec!["a".into(), "b".into()],
            more: Vec::new(),
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
    fn a_folder_is_renewed_where_it_differs() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = |name: &str| folder.path().join("web").join(name).metadata().unwrap().ino();
        profile().renew(folder.path()).unwrap();
        let (run, depends) = (stamp("run"), stamp("depends"));
        fs::create_dir(folder.path().join("web/log")).unwrap();
        let more = vec![("down", String::new())];
        let other = Profile { pid_file: None, depends: vec!["c".into()], more, ..profile() };
        other.renew(folder.path()).unwrap();
        assert_eq!(stamp("run"), run, "nothing has changed there");
        assert_ne!(stamp("depends"), depends);
        let mut names: Vec<_> =
            fs::read_dir(folder.path().join("web")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["depends", "down", "log", "restart", "run"]);
        Profile { run: "#!/bin/sh\n".into(), ..profile() }.renew(folder.path()).unwrap();
        let run = folder.path().join("web/run").metadata().unwrap();
        assert_eq!((run.permissions().mode() & 0o777, run.len()), (0o755, 10));
        assert!(!folder.path().join("web/down").exists());
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
