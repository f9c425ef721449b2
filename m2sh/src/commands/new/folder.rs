//! What a deployment folder is made of, and how it is made: all of it, or nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::args::DEFAULT_DB;
use crate::error::Error;
use crate::profile::{Profile, in_background, of_server};

const FOLDERS: [&str; 6] = ["run", "logs", "tmp", "static", "handlers", "profiles"];

const FILES: [(&str, &str); 5] = [
    ("README.md", include_str!("template/README.md")),
    (".gitignore", include_str!("template/gitignore")),
    ("static/index.html", include_str!("template/index.html")),
    ("handlers/hello.py", include_str!("../../../../examples/hello/hello.py")),
    ("config.rhai", include_str!("template/config.rhai")),
];

/// What runs the handler, from the folder.
const HANDLER: &str = "python3 handlers/hello.py ipc://run/hello.requests ipc://run/hello.replies";

/// A folder that is about to be made.
pub(super) struct Folder {
    /// From the root, as profiles name it.
    path: String,
    uuid: String,
    port: u16,
}

impl Folder {
    /// The folder at a path, where there is none yet, or an empty one.
    ///
    /// # Errors
    /// The path can't be used.
    pub(super) fn at(path: &Path, port: u16) -> Result<Self, Error> {
        let cannot =
            |cause: &dyn std::fmt::Display| Error::cannot(format!("make the folder `{}`", path.display()), cause);
        let absolute = std::path::absolute(path).map_err(|error| cannot(&error))?;
        let absolute = absolute.into_os_string().into_string().map_err(|_| cannot(&"its name is not UTF-8"))?;
        if absolute.contains(char::is_control) {
            return Err(cannot(&"there is a control character in its name"));
        }
        if !is_free(path).map_err(|error| cannot(&error))? {
            return Err(cannot(&"there is something in it already").hint("name another: nothing is written over"));
        }
        Ok(Self { path: absolute, uuid: Uuid::new_v4().to_string(), port })
    }

    /// From the root.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The UUID of its server.
    pub(super) fn uuid(&self) -> &str {
        &self.uuid
    }

    /// What its server is called: as the folder, if that is a name.
    pub(super) fn name(&self) -> &str {
        let name = Path::new(&self.path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !name.is_empty() && name.chars().all(is_plain) { name } else { "main" }
    }

    /// Makes everything, and with `database` the last thing; takes it away again if something can't be made.
    ///
    /// # Errors
    /// What can't be made.
    pub(super) fn make(&self, database: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let is_new = !Path::new(&self.path).exists();
        let made = self.fill(is_new).and_then(|()| database());
        if made.is_err() {
            self.clear(is_new);
        }
        made
    }

    fn fill(&self, is_new: bool) -> Result<(), Error> {
        let doing = |path: &Path| format!("make `{}`", path.display());
        let root = Path::new(&self.path);
        let make = |path: PathBuf, make: &dyn Fn(&Path) -> io::Result<()>| {
            make(&path).map_err(|error| Error::cannot(doing(&path), error))
        };
        if is_new {
            make(root.to_owned(), &|path| fs::create_dir(path)).map_err(|error| match root.parent() {
                Some(parent) if !parent.exists() => error.hint(format!("`mkdir -p {}` first", parent.display())),
                _ => error,
            })?;
        }
        FOLDERS.iter().try_for_each(|name| make(root.join(name), &|path| fs::create_dir(path)))?;
        FILES
            .iter()
            .try_for_each(|(name, text)| make(root.join(name), &|path| write_new(path, &self.filled_in(text))))?;
        let profiles = root.join("profiles");
        self.profiles()?.iter().try_for_each(|profile| make(profiles.clone(), &|path| profile.write(path)))
    }

    /// Takes away what was made in an empty folder.
    fn clear(&self, is_new: bool) {
        let root = Path::new(&self.path);
        // What can't be taken away either was not made, or is as it is.
        FOLDERS.iter().for_each(|name| _ = fs::remove_dir_all(root.join(name)));
        FILES.iter().for_each(|(name, _)| _ = fs::remove_file(root.join(name)));
        ["", "-wal", "-shm", "-journal"].iter().for_each(|end| {
            let _ = fs::remove_file(root.join(format!("{DEFAULT_DB}{end}")));
        });
        if is_new {
            let _ = fs::remove_dir(root);
        }
    }

    fn filled_in(&self, text: &str) -> String {
        text.replace("@UUID@", &self.uuid)
            .replace("@NAME@", self.name())
            .replace("@PORT@", &self.port.to_string())
            .replace("@HANDLER@", &Uuid::new_v4().to_string())
    }

    /// The server's own profile, and that of the handler, which comes after.
    fn profiles(&self) -> Result<[Profile; 2], Error> {
        let server = of_server("mongrel2", &self.path, &self.uuid, format!("{}/run/mongrel2.pid", self.path))?;
        let handler = Profile {
            name: "hello".into(),
            run: in_background(self.path.as_ref(), HANDLER),
            pid_file: Some(format!("{}/run/hello.pid", self.path)),
            restart: true,
            depends: vec![server.name.clone()],
            more: Vec::new(),
        };
        Ok([server, handler])
    }
}

/// Whether there is nothing at a path, or an empty folder.
fn is_free(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        for is_new in [true, false] {
            let path = root.path().join(is_new.to_string());
            if !is_new {
                fs::create_dir(&path).unwrap();
            }
            let folder = Folder::at(&path, 6767).unwrap();
            let made = folder.make(|| {
                assert!(path.join("profiles/hello/run").exists());
                fs::write(path.join(DEFAULT_DB), "half").unwrap();
                Err(Error::cannot("go on", "a test says so"))
            });
            assert!(made.is_err());
            assert_eq!(path.exists(), !is_new);
            assert!(is_free(&path).unwrap());
        }
    }

    #[test]
    fn the_script_is_sound_whatever_the_folder_is_called() {
        let root = tempfile::tempdir().unwrap();
        for (name, server) in [("site", "site"), ("my site's \"x\"", "main"), ("\u{e4}", "main")] {
            let folder = Folder::at(&root.path().join(name), 8080).unwrap();
            folder.make(|| Ok(())).unwrap();
            let script = root.path().join(name).join("config.rhai");
            let outcome = crate::script::run(&script, &crate::script::Facts::default()).unwrap();
            assert!(outcome.notes.is_empty(), "{}", outcome.notes);
            let config = outcome.checked.config();
            assert_eq!((config.servers[0].name.as_str(), config.servers[0].port), (server, 8080));
            assert_eq!(config.servers[0].uuid, folder.uuid());
        }
    }

    #[test]
    fn what_is_there_already_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "").unwrap();
        for path in [root.path().to_owned(), root.path().join("thesis.txt"), root.path().join("a\nb")] {
            assert!(Folder::at(&path, 6767).is_err(), "{}", path.display());
        }
    }
}
