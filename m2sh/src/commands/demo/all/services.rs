//! The profiles of what runs: the server, and what each demo needs.

use std::path::Path;

use mongrel2::config::{Server, Target};

use crate::error::Error;
use crate::operator::quoted;
use crate::profile::{Profile, in_foreground, of_server, this_program};

use super::super::folder::Folder;
use super::demos::Demo;
use super::plan::Row;
use super::ports::Ports;
use super::python::VENV;
use super::shared;
use super::way::{sockets, upstream};

/// The server's service.
pub(super) const SERVER: &str = "mongrel2";

/// Makes all profiles what they shall be; of a demo that is left out too, for the day when nothing is missing any more.
///
/// # Errors
/// One can't be written.
pub(super) fn write(folder: &Folder, server: &Server, rows: &[Row]) -> Result<(), Error> {
    let profiles = folder.path().join("profiles");
    let mut all = vec![server_profile(folder, server)?];
    let mut others = Ports::besides(ports(server).chain(shared::ports(folder.path())));
    for row in rows {
        shared::make(folder.path(), row.demo, &mut others)?;
        all.extend(demo_profiles(folder, server, row)?);
    }
    for profile in all {
        let doing = || format!("write the profile `{}`", profiles.join(&profile.name).display());
        profile.renew(&profiles).map_err(|error| Error::cannot(doing(), error))?;
    }
    Ok(())
}

/// The ports that the server and its Proxies have.
fn ports(server: &Server) -> impl Iterator<Item = u16> {
    let proxies = server.hosts.iter().flat_map(|host| &host.routes).filter_map(|route| match &route.target {
        Target::Proxy(proxy) => Some(proxy.port),
        _ => None,
    });
    proxies.chain([server.port]).filter_map(|port| u16::try_from(port).ok())
}

fn server_profile(folder: &Folder, server: &Server) -> Result<Profile, Error> {
    let profile = of_server(SERVER, folder.absolute(), &server.uuid, server.pid_path().display().to_string())?;
    // `m2sh start` has more patience than procer.
    Ok(Profile { more: vec![("start_timeout", "120s\n".into())], ..profile })
}

fn demo_profiles(folder: &Folder, server: &Server, row: &Row) -> Result<Vec<Profile>, Error> {
    let program = this_program()?;
    let profile = |(name, command): &(&str, &str)| Profile {
        name: (*name).to_owned(),
        run: in_foreground(folder.absolute().as_ref(), &said(command, row.demo, server, &program)),
        pid_file: None,
        restart: true,
        depends: vec![SERVER.to_owned()],
        more: row.lack.iter().map(|lack| ("down", format!("{}: {}\n", lack.why, lack.hint))).collect(),
    };
    Ok(row.demo.services.iter().map(profile).collect())
}

/// A service's command, as a shell takes it.
fn said(command: &str, demo: &Demo, server: &Server, program: &Path) -> String {
    let port = upstream(server, demo.link).unwrap_or_default().to_string();
    let own = Path::new(VENV).join("bin/python3");
    // A virtual environment comes first, whenever there is one.
    let python = format!("\"$([ -x {own} ] && echo {own} || echo python3)\"", own = own.display());
    command
        .replace("@SOCKETS@", &sockets(demo).join(" "))
        .replace("@UPSTREAM@", &port)
        .replace("@M2SH@", &quoted(program.as_os_str()))
        .replace(shared::WORD, &shared::name(demo))
        .replace("python3 ", &format!("{python} "))
}
