//! The page that lists a folder which has no index file (`listing: true`).
//!
//! Reading the folder and rendering the page are apart; a name never becomes markup or another address.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{AtFlags, Dir, FileType, statat};

/// A page has at most so many entries.
const MOST: usize = 10_000;

/// What stays as it is in a link: letters, digits and what RFC 3986 calls unreserved.
const LINK: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    Folder { name: String, modified: u64 },
    File { name: String, modified: u64, size: u64 },
}

impl Entry {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Folder { name, .. } | Self::File { name, .. } => name,
        }
    }
}

/// Reads a folder: its folders and files by name, without those that begin with a dot or aren't UTF-8.
///
/// # Errors
/// What the system says.
pub(crate) fn read(folder: &File) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        // Whatever has gone meanwhile isn't listed; links are, and may lead nowhere.
        let Ok(stat) = statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let modified = u64::try_from(stat.st_mtime).unwrap_or(0);
        let name = name.to_owned();
        match FileType::from_raw_mode(stat.st_mode) {
            _ if name.starts_with('.') => {}
            FileType::Directory => entries.push(Entry::Folder { name, modified }),
            FileType::RegularFile | FileType::Symlink => {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                entries.push(Entry::File { name, modified, size });
            }
            _ => {}
        }
    }
    entries.sort();
    Ok(entries)
}

/// Renders the page for a path, which is percent-encoded and ends in a slash.
pub(crate) fn render(path: &str, entries: &[Entry]) -> String {
    let title = escape(path);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;margin:2rem}}\
         td{{padding-right:2rem}}td+td{{text-align:right;font-variant-numeric:tabular-nums}}</style></head>\n\
         <body><h1>{title}</h1><table>\n"
    );
    if path != "/" {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    entries.iter().take(MOST).for_each(|entry| row(&mut page, entry));
    page.push_str("</table>");
    if entries.len() > MOST {
        write!(page, "<p>and {} more</p>", entries.len() - MOST).expect("a String takes everything");
    }
    page.push_str("</body></html>\n");
    page
}

fn row(page: &mut String, entry: &Entry) {
    let (name, slash, modified, size) = match entry {
        Entry::Folder { name, modified } => (name, "/", modified, String::new()),
        Entry::File { name, modified, size } => (name, "", modified, size.to_string()),
    };
    // `./` keeps a name with a colon from being taken for another scheme.
    let (link, text, time) = (utf8_percent_encode(name, LINK), escape(name), date(*modified));
    writeln!(page, "<tr><td><a href=\"./{link}{slash}\">{text}{slash}</a></td><td>{size}</td><td>{time}</td></tr>")
        .expect("a String takes everything");
}

fn date(seconds: u64) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
    chrono::DateTime::<chrono::Utc>::from(time).format("%Y-%m-%d %H:%M").to_string()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a b", ".hidden"] {
            std::fs::write(folder.path().join(name), "12345").unwrap();
        }
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let entries = read(&File::open(folder.path()).unwrap()).unwrap();
        let names: Vec<&str> = entries
            .iter()
            .map(|entry| match entry {
                Entry::Folder { name, .. } | Entry::File { name, .. } => name.as_str(),
            })
            .collect();
        assert_eq!(names, ["sub", "a b", "b"]);
        assert!(matches!(entries[1], Entry::File { size: 5, .. }));
    }

    #[test]
    fn names_are_neither_markup_nor_addresses() {
        let file = |name: &str| Entry::File { name: name.into(), modified: 784_111_777, size: 7 };
        let page = render("/a/", &[file("<script>"), file("javascript:x"), file("a\"b?c#d%2f")]);
        for part in [
            "<a href=\"./%3Cscript%3E\">&lt;script&gt;</a></td><td>7</td><td>1994-11-06 08:49</td>",
            "<a href=\"./javascript%3Ax\">",
            "<a href=\"./a%22b%3Fc%23d%252f\">a&quot;b?c#d%2f</a>",
            "<a href=\"../\">",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!render("/", &[]).contains("../"));
    }

    #[test]
    fn a_page_is_bounded() {
        let many: Vec<Entry> = (0..MOST + 5).map(|n| Entry::Folder { name: n.to_string(), modified: 0 }).collect();
        assert!(render("/", &many).contains("and 5 more"));
    }
}
