//! `m2sh hosts`: the hosts of a server, with the routes they have, their other names and their error pages.

use mongrel2::config::{Host, Server};

use crate::args;
use crate::error::Error;
use crate::exit::Exit;
use crate::select;
use crate::session::Session;
use crate::show::Cell;

const COLUMNS: [&str; 7] = ["server", "name", "matching", "maintenance", "routes", "aliases", "error_pages"];

pub(super) fn run(args: &args::Hosts, session: &mut Session) -> Result<Exit, Error> {
    // Where routes lead is not shown, and not read: there may be many.
    let servers = session.database()?.outline().map_err(|error| session.cannot("use the database", error))?;
    let (which, host) = args.chosen();
    let servers = session.choose(servers, &which, "show")?;
    let hosts = select::hosts(&servers, host)?;
    let rows = hosts.into_iter().map(|(server, host)| row(server, host));
    session.show.table(&COLUMNS, rows)?;
    Ok(Exit::Success)
}

fn row(server: &Server, host: &Host) -> Vec<Cell> {
    let routes = host.routes.iter().map(|route| route.path.clone());
    vec![
        server.label().into(),
        host.name.as_str().into(),
        host.matching_or_name().into(),
        host.maintenance.into(),
        Cell::list(routes),
        Cell::list(host.aliases.iter().cloned()),
        Cell::map(&host.error_pages),
    ]
}
