//! `m2sh procs`: how the services of a procer are, as `procer status` tells it.

use procer::client::{COLUMNS, is_well, row, services};

use crate::args::Procs;
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::{Cell, Form};

pub(super) fn run(args: &Procs, session: &mut Session) -> Result<Exit, Error> {
    let services = match services(args.profiles.clone(), args.names.clone()) {
        Ok(services) => services,
        Err(error) => {
            error.tell();
            return Ok(Exit::Failure);
        }
    };
    match session.show.form() {
        Form::Json => session.show.json(&services)?,
        Form::Lines | Form::Terminal => {
            let cells = |service| row(service).iter().map(|text| Cell::from(text.as_str())).collect();
            session.show.table(&COLUMNS, services.iter().map(cells))?;
        }
    }
    let named = !args.names.is_empty();
    Ok(if services.iter().all(|service| is_well(service, named)) { Exit::Success } else { Exit::NotRunning })
}
