//! `m2sh man`: the pages of the manual, from the definitions of the command line.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::args::{self, Man};
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(args: &Man, session: &mut Session) -> Result<Exit, Error> {
    let pages = args::pages(&today().format("%Y-%m-%d").to_string())?;
    match &args.folder {
        None => {
            let (_, page) = pages.into_iter().next().expect("m2sh itself has a page");
            let page = String::from_utf8_lossy(&page);
            session.show.either(page.trim_end(), &json!({ "page": page }))?;
        }
        Some(folder) => {
            let count = pages.len();
            write(&pages, folder)
                .map_err(|error| Error::cannot(format!("write the pages into `{}`", folder.display()), error))?;
            let text = format!("Wrote {count} pages into {}", folder.display());
            let files: Vec<&str> = pages.iter().map(|(name, _)| &name[..]).collect();
            session.show.either(&text, &json!({"folder": folder, "pages": files}))?;
        }
    }
    Ok(Exit::Success)
}

/// The day of the build, where a package is built that has to be the same each time.
fn today() -> DateTime<Utc> {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    fixed.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).unwrap_or_else(Utc::now)
}

fn write(pages: &[(String, Vec<u8>)], folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    pages.iter().try_for_each(|(name, page)| fs::write(folder.join(name), page))
}
