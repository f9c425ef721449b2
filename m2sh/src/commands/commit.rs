//! `m2sh commit`: writes a line to the log (the manual, section 3.7).

use mongrel2::config::history::Entry;

use crate::args::Commit;
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(args: Commit, session: &mut Session) -> Result<Exit, Error> {
    let entry = session.operator.entry(&args.what, Some(&args.why));
    let entry =
        Entry { location: args.location.unwrap_or(entry.location), how: args.how.unwrap_or(entry.how), ..entry };
    session.change("write to the log", &entry, |_| Ok(()))?;
    Ok(Exit::Success)
}
