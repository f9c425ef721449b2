//! The texts of a script and of what it imports, and places in them.

use std::cell::OnceCell;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mongrel2::config::closest;
use mongrel2::config::store::origin;
use rhai::Position;

use super::lex::At;
use super::scan::Index;
use super::trouble::{Level, Trouble};

/// A place in a file, or at [`WHOLE`] the file as a whole, which comes after its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    file: usize,
    at: At,
}

impl Spot {
    /// The place as Rhai writes it, without its file; Rhai counts to 65535.
    pub(super) fn position(self) -> Position {
        match (u16::try_from(self.at.0), u16::try_from(self.at.1)) {
            (Ok(line @ 1..), Ok(column)) => Position::new(line, column),
            _ => Position::NONE,
        }
    }
}

const WHOLE: At = (usize::MAX, 1);

/// The files of a run, in the order in which they were read; the first is the script itself.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<File>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
    index: OnceCell<Index>,
}

/// A line longer than this says nothing to a reader.
const LONGEST_LINE: usize = 400;

impl Sources {
    /// Nothing but the script itself.
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let mut sources = Self(Vec::new());
        sources.add(path, text);
        sources
    }

    /// A script whose places are known.
    pub(super) fn indexed(path: &Path, text: &str, index: Index) -> Self {
        Self(vec![File { path: path.to_owned(), text: text.to_owned(), index: index.into() }])
    }

    /// Remembers an imported file.
    pub(super) fn add(&mut self, path: &Path, text: &str) {
        self.0.push(File { path: path.to_owned(), text: text.to_owned(), index: OnceCell::new() });
    }

    /// The files as they were read.
    pub(super) fn files(&self) -> impl Iterator<Item = origin::File> {
        self.0.iter().map(|file| origin::File { path: file.path.display().to_string(), text: file.text.clone() })
    }

    /// The path of the script itself.
    pub(super) fn main(&self) -> &Path {
        &self.0[0].path
    }

    /// The place that Rhai means by a source and a position.
    pub(super) fn spot(&self, source: Option<&str>, position: Position) -> Spot {
        let path = source.map(Path::new);
        let file = self.0.iter().position(|file| Some(file.path.as_path()) == path).unwrap_or(0);
        let at = position.line().map_or(WHOLE, |line| (line, position.position().unwrap_or(1)));
        Spot { file, at }
    }

    /// The place in the script itself.
    pub(super) fn at(&self, at: At) -> Spot {
        Spot { file: 0, at }
    }

    /// The script itself as a whole.
    pub(super) fn whole(&self) -> Spot {
        self.at(WHOLE)
    }

    /// The key that those keys lead to in the call at `call`; the call itself if it can't be found.
    pub(super) fn key(&self, call: Spot, path: &[&str]) -> Spot {
        self.index(call).key(call.at, path).map_or(call, |at| Spot { at, ..call })
    }

    /// The word after the one at `spot`.
    pub(super) fn after(&self, spot: Spot) -> Spot {
        self.index(spot).after(spot.at).map_or(spot, |at| Spot { at, ..spot })
    }

    /// What is known of the file that `spot` is in.
    pub(super) fn index(&self, spot: Spot) -> &Index {
        let file = &self.0[spot.file];
        file.index.get_or_init(|| Index::new(&file.text))
    }

    /// The spot in words.
    pub(super) fn describe(&self, spot: Spot) -> String {
        format!("{}:{}", self.0[spot.file].path.display(), spot.at.0)
    }

    /// A trouble with the text of its line.
    pub(super) fn trouble(&self, spot: Spot, severity: Level, message: String, hint: Option<String>) -> Trouble {
        let (line, column) = spot.at;
        let file = &self.0[spot.file];
        let known = spot.at != WHOLE;
        let source = file.text.lines().nth(line - 1).filter(|text| text.len() <= LONGEST_LINE);
        Trouble {
            severity,
            message,
            file: file.path.display().to_string(),
            line: known.then_some(line),
            column: known.then_some(column),
            source: source.map(|text| text.trim_end().replace(|c: char| c.is_control() && c != '\t', " ")),
            width: self.index(spot).width(spot.at),
            hint,
        }
    }
}

/// Reads a script.
///
/// # Errors
/// A trouble that says why it can't be read, and what to do.
pub(super) fn read(path: &Path) -> Result<String, Box<Trouble>> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("`{shown}` is not UTF-8 text: line {line} has other bytes");
        Trouble::general(message, format!("`iconv -f latin1 -t utf-8 {shown}` converts it")).into()
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Trouble {
    let shown = path.display();
    let (why, hint) = match error.kind() {
        ErrorKind::NotFound => return Trouble::general(format!("there is no script `{shown}`"), missing(path)),
        ErrorKind::PermissionDenied => ("permission denied".to_owned(), format!("`ls -l {shown}` shows whose it is")),
        ErrorKind::IsADirectory => ("it is a folder".to_owned(), "name the script in it".to_owned()),
        _ => (error.to_string(), format!("`ls -l {shown}` shows what it is")),
    };
    Trouble::general(format!("cannot read `{shown}`: {why}"), hint)
}

/// What to do about a script that isn't there.
fn missing(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    match closest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{}`?", path.with_file_name(name).display()),
        None => "examples/configs has scripts to start from".into(),
    }
}
