//! `m2sh servers`: the servers in the database.

use mongrel2::config::Server;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::Cell;

const COLUMNS: [&str; 8] = ["name", "default_host", "uuid", "bind_addr", "port", "chroot", "pid_file", "use_ssl"];

pub(super) fn run(session: &mut Session) -> Result<Exit, Error> {
    let servers = session.database()?.servers().map_err(|error| session.cannot("read the servers", error))?;
    session.show.table(&COLUMNS, servers.iter().map(row))?;
    Ok(Exit::Success)
}

fn row(server: &Server) -> Vec<Cell> {
    vec![
        server.name.as_str().into(),
        server.default_host.as_str().into(),
        server.uuid.as_str().into(),
        server.bind_addr.as_str().into(),
        server.port.into(),
        server.chroot.as_str().into(),
        server.pid_file.as_str().into(),
        server.use_ssl.into(),
    ]
}
