//! `m2sh routes`: the routes of a server, and where each of them leads.

use mongrel2::config::{Host, Route, Server};

use crate::args;
use crate::error::Error;
use crate::exit::Exit;
use crate::select;
use crate::session::Session;
use crate::show::{Cell, Form};
use crate::target;

const COLUMNS: [&str; 6] = ["server", "host", "path", "reversed", "target_type", "target"];

pub(super) fn run(args: &args::Hosts, session: &mut Session) -> Result<Exit, Error> {
    let (which, host) = args.chosen();
    let servers = session.selected_whole(&which, "show")?;
    let hosts = select::hosts(&servers, host)?;
    let form = session.show.form();
    let rows = hosts
        .into_iter()
        .flat_map(|(server, host)| host.routes.iter().map(move |route| row(server, host, route, form)));
    session.show.table(&COLUMNS, rows)?;
    Ok(Exit::Success)
}

fn row(server: &Server, host: &Host, route: &Route, form: Form) -> Vec<Cell> {
    vec![
        server.label().into(),
        host.name.as_str().into(),
        route.path.as_str().into(),
        route.reversed.into(),
        route.target.target_type().into(),
        target::cell(&route.target, form),
    ]
}
