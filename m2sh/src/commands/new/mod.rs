//! `m2sh new`: a deployment folder with everything in it, as the manual of the original describes it by hand.
//!
//! Nothing that is there is written over: the folder is a new one, or empty.  What fails leaves it as it was.

mod folder;

use std::path::Path;

use serde_json::json;

use crate::args::{DEFAULT_DB, New};
use crate::error::Error;
use crate::exit::Exit;
use crate::operator::quoted;
use crate::session::Session;

use folder::Folder;

pub(super) fn run(args: &New, session: &mut Session) -> Result<Exit, Error> {
    if session.db != Path::new(DEFAULT_DB) {
        return Err(Error::usage("use that database for a new folder", "the folder gets its own")
            .hint("leave out `-db`, or name the folder: `m2sh new FOLDER`"));
    }
    let folder = Folder::at(&args.folder, args.port)?;
    session.db = args.folder.join(DEFAULT_DB);
    folder.make(|| {
        let entry = session.operator.entry("new", args.because.why.as_deref());
        session.create(&format!("make `{}`", session.db.display()), &entry, |change| change.init())
    })?;
    let typed = quoted(args.folder.as_os_str());
    let next = format!("Made {typed}: cd {typed}, then m2sh load and m2sh start -background");
    let json = json!({"folder": folder.path(), "name": folder.name(), "uuid": folder.uuid(), "port": args.port});
    session.show.either(&next, &json)?;
    Ok(Exit::Success)
}
