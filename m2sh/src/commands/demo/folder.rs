//! The deployment folder: what it is made of, and that nothing in it is ever overwritten.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::operator::quoted;

/// The name of the script.
pub(super) const SCRIPT: &str = "config.rhai";

/// Who may read and write files, as far as the user's umask lets them.
const MODE: u32 = 0o666;

/// A file: its path below the folder, and its text.
pub(super) type File = (&'static str, &'static str);

/// What a folder is made of.
#[derive(Debug)]
pub(super) struct Contents {
    /// All files but the script.
    pub(super) files: Vec<File>,
    /// All folders, those above a folder in front of it.
    pub(super) folders: Vec<&'static str>,
    /// The script's text.
    pub(super) script: &'static str,
    /// In the script: where the folder is, for those who load it without the demo.
    pub(super) elsewhere: &'static str,
    /// In the script: words that are others in each folder.
    pub(super) words: Vec<(&'static str, String)>,
    /// What makes a folder one of these, if it is there.
    pub(super) mark: &'static str,
}

impl Contents {
    /// Those of the demo.
    pub(super) fn of_demo() -> Self {
        Self {
            files: vec![
                ("static/index.html", include_str!("../../../../examples/demo/static/index.html")),
                ("static/notes.txt", include_str!("../../../../examples/demo/static/notes.txt")),
            ],
            folders: vec!["run", "logs", "tmp", "static"],
            script: include_str!("../../../../examples/demo/config.rhai"),
            elsewhere: r#""./demo""#,
            words: Vec::new(),
            mark: SCRIPT,
        }
    }
}

/// A deployment folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// From the root and in UTF-8, as a database takes it.
    absolute: String,
    contents: Contents,
}

impl Folder {
    /// The folder at a path; it need not exist, but if it does it is the demo's or empty.
    ///
    /// # Errors
    /// The path can't be used.
    pub(super) fn at(path: &Path, contents: Contents) -> Result<Self, Error> {
        let cannot =
            |cause: &dyn std::fmt::Display| Error::cannot(format!("use the folder `{}`", path.display()), cause);
        let absolute = std::path::absolute(path).map_err(|error| cannot(&error))?;
        let absolute = absolute.into_os_string().into_string().map_err(|_| cannot(&"its name is not UTF-8"))?;
        let folder = Self { path: path.to_owned(), absolute, contents };
        if folder.is_foreign().map_err(|error| cannot(&error))? {
            return Err(cannot(&format!("it has other things in it and no `{}`", folder.contents.mark))
                .hint("name another: a new one is made, and an empty one is fine too"));
        }
        Ok(folder)
    }

    fn is_foreign(&self) -> io::Result<bool> {
        match fs::read_dir(&self.path) {
            Ok(mut entries) => Ok(entries.next().is_some() && !self.path.join(self.contents.mark).exists()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes what is missing.
    ///
    /// # Errors
    /// What can't be made.
    pub(super) fn fill(&self) -> Result<(), Error> {
        let make = |path: PathBuf, make: &dyn Fn(&Path) -> io::Result<()>| {
            make(&path).map_err(|error| Error::cannot(format!("make `{}`", path.display()), error))
        };
        let Contents { files, folders, .. } = &self.contents;
        folders.iter().try_for_each(|name| make(self.path.join(name), &|path| fs::create_dir_all(path)))?;
        files.iter().try_for_each(|(name, text)| make(self.path.join(name), &|path| write_new(path, text, MODE)))?;
        // The script comes last: a folder that has it is complete but for what somebody took away.
        make(self.script(), &|path| write_new(path, &self.filled_in(), MODE))
    }

    /// The script says where it is, so that it can be loaded without the demo.
    fn filled_in(&self) -> String {
        let Contents { script, elsewhere, words, .. } = &self.contents;
        // Rhai reads a string as JSON has it.
        let here = serde_json::Value::from(self.absolute.as_str()).to_string();
        let words = words.iter().map(|(word, is)| (*word, is.as_str()));
        replaced(script, &words.chain([(*elsewhere, here.as_str())]).collect::<Vec<_>>())
    }

    /// What the script is told: where it is, and the port if one was asked for.
    pub(super) fn facts(&self, port: Option<u16>) -> impl Iterator<Item = (String, String)> {
        let folder = ("DEMO_FOLDER".to_owned(), self.absolute.clone());
        let port = port.map(|port| ("DEMO_PORT".to_owned(), port.to_string()));
        std::iter::once(folder).chain(port)
    }

    /// The script, edited, doesn't ask for the port any more.
    pub(super) fn deaf_to_port(&self, wanted: u16, is: i64) -> Error {
        let script = self.script();
        Error::cannot(format!("use port {wanted}"), format!("`{}` says {is}", script.display()))
            .hint("let it say `port: env(\"DEMO_PORT\", 6767)`, or write the port there and leave out `--port`")
    }

    /// As it was typed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// From the root.
    pub(super) fn absolute(&self) -> &str {
        &self.absolute
    }

    /// Its configuration script.
    pub(super) fn script(&self) -> PathBuf {
        self.path.join(SCRIPT)
    }

    /// Its database.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join("config.sqlite")
    }

    /// One of its paths for a shell.
    pub(super) fn typed(path: &Path) -> String {
        quoted(path.as_os_str())
    }
}

/// A text with other words where these come first.
fn replaced(text: &str, words: &[(&str, &str)]) -> String {
    // Marked first: what comes in may have another of the words in it, as 28090 has 8090.
    let mark = |index: usize| format!("\0{index}\0");
    let marked =
        words.iter().enumerate().fold(text.to_owned(), |text, (index, (word, _))| text.replacen(word, &mark(index), 1));
    words.iter().enumerate().fold(marked, |text, (index, (_, is))| text.replacen(&mark(index), is, 1))
}

/// Writes a file that isn't there.  It appears as a whole, whatever happens meanwhile: half a one would stay for ever.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let folder = path.parent().expect("it is in a folder");
    let mut draft = tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
    draft.write_all(text.as_bytes())?;
    match draft.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_says_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(r#"a "b" \c ä"#);
        Folder::at(&path, Contents::of_demo()).unwrap().fill().unwrap();
        let outcome = crate::script::run(&path.join(SCRIPT), &crate::script::Facts::default()).unwrap();
        assert!(outcome.notes.is_empty(), "{}", outcome.notes);
        // As any file that this user writes.
        fs::write(path.join("other"), "").unwrap();
        let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode(SCRIPT), mode("other"));
        let server = &outcome.checked.config().servers[0];
        assert_eq!((Path::new(&server.chroot), server.port), (path.as_path(), 6767));
    }

    #[test]
    fn what_comes_into_the_script_stays_what_it_is() {
        let words = [("8089", "28090"), ("8090", "28089"), ("./demo", "./demo/8089")];
        assert_eq!(replaced("./demo 8089 8090 8089", &words), "./demo/8089 28090 28089 8089");
    }

    #[test]
    fn a_file_is_written_as_a_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        write_new(&path, "first", 0o600).unwrap();
        write_new(&path, "second", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(&root.path().join("nowhere/a"), "", 0o600).is_err());
        // Nobody can write there, root neither.
        assert!(write_new("/proc/self/a".as_ref(), "", 0o600).is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_there_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path(), Contents::of_demo()).unwrap();
        folder.fill().unwrap();
        let page = root.path().join("static/index.html");
        fs::write(&page, "mine").unwrap();
        fs::remove_file(root.path().join("static/notes.txt")).unwrap();
        Folder::at(root.path(), Contents::of_demo()).unwrap().fill().unwrap();
        assert_eq!(fs::read_to_string(page).unwrap(), "mine");
        assert!(root.path().join("static/notes.txt").exists());
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "").unwrap();
        assert!(Folder::at(root.path(), Contents::of_demo()).is_err());
        assert!(Folder::at(&root.path().join("thesis.txt"), Contents::of_demo()).is_err());
    }
}
