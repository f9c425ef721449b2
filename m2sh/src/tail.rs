//! The end of a log, for who has to be told why a server is not there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::show::escape;

/// How many lines are shown.
const SHOWN: usize = 5;

/// How much of a log is read: logs can be large, and their last piece is enough.
const PIECE: u64 = 4096;

/// The last lines of a log, indented; or why they can't be read.
pub fn last_lines(log: &Path) -> String {
    let text = end(log).unwrap_or_else(|error| error.to_string().into_bytes());
    indented(&String::from_utf8_lossy(&text).lines().collect::<Vec<_>>())
}

/// The last few of some lines, indented.
pub fn indented(lines: &[&str]) -> String {
    let last = &lines[lines.len().saturating_sub(SHOWN)..];
    last.iter().map(|line| format!("  {}", escape(line))).collect::<Vec<_>>().join("\n")
}

fn end(log: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(PIECE);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(PIECE).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let text: String = (0..2000).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&path, text + "\u{1b}[2J\n").unwrap();
        let expected = "  line 1996\n  line 1997\n  line 1998\n  line 1999\n  \\u{1b}[2J";
        assert_eq!(last_lines(&path), expected);
        assert!(last_lines(&folder.path().join("none")).starts_with("  No such file"));
    }
}
