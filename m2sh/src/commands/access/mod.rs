//! `m2sh access`: the access logs of servers, or any file in one of their forms.
//!
//! `rows`: how requests are shown, as they are read.

mod rows;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use mongrel2::config::Server;

use crate::accesslog::{Filter, Line, LogFile, Statuses, Stream, Wanted};
use crate::args::Access;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::title;
use crate::progress::during;
use crate::session::Session;
use crate::show::escape;
use crate::since;

use rows::Rows;

/// How often is looked for new lines.
const TICK: Duration = Duration::from_millis(200);

pub(super) fn run(args: &Access, session: &mut Session) -> Result<Exit, Error> {
    let filter = filter(args)?;
    let (mut sources, exit) = match &args.log {
        Some(path) => (vec![Source::named(path, filter)?], Exit::Success),
        None => of_servers(&session.selected(&args.which, "read the access log of")?, &filter),
    };
    let several = args.which.every && args.log.is_none();
    let mut rows = Rows::new(&mut session.show, args.follow, several);
    for source in &mut sources {
        source.print(args, &mut rows)?;
    }
    let mut followed: Vec<&mut Source> = sources.iter_mut().filter(|_| args.follow).collect();
    while !followed.is_empty() {
        sleep(TICK);
        let mut left = Vec::new();
        for source in followed {
            if source.go_on(&mut rows)? {
                left.push(source);
            }
        }
        followed = left;
    }
    rows.finish()?;
    sources.iter().for_each(Source::tell_unreadable);
    Ok(exit)
}

fn filter(args: &Access) -> Result<Filter, Error> {
    let Access { path, vhost, client, method, .. } = args;
    let since = args.since.as_deref().map(|text| since::seconds(text, chrono::Utc::now()));
    let status = args.status.as_deref().map(Statuses::parse);
    Ok(Filter {
        since: since.transpose().map_err(|why| Error::usage("read -since", why))?,
        status: status.transpose().map_err(|why| Error::usage("read -status", why))?,
        path: path.clone(),
        host: vhost.clone(),
        client: client.clone(),
        method: method.clone(),
    })
}

/// The logs of servers; one that can't be read does not keep a command from the others.
fn of_servers(servers: &[Server], filter: &Filter) -> (Vec<Source>, Exit) {
    let mut exit = Exit::Success;
    let mut open = |server: &Server| match Source::of(server, filter.clone()) {
        Ok(source) => Some(source),
        Err(error) => {
            exit = error.tell();
            None
        }
    };
    let sources = servers.iter().filter_map(&mut open).collect();
    (sources, exit)
}

/// Where lines come from.
enum Log {
    File(LogFile),
    /// What can be read only once: stdin, or a pipe.
    Pipe(Stream<Box<dyn Read>>),
}

/// A log, and what of it is wanted.
struct Source {
    server: String,
    name: String,
    log: Log,
    wanted: Wanted,
}

impl Source {
    /// The access log of a server.
    fn of(server: &Server, filter: Filter) -> Result<Self, Error> {
        let path = server.under_chroot(&server.access_log);
        let log = LogFile::open(&path).map_err(|error| {
            unreadable(&path.display().to_string(), &error)
                .hint(format!("server {} makes it when it is started; see `m2sh running`", title(server)))
        })?;
        Ok(Self { server: server.uuid.clone(), ..Self::new(&path, Log::File(log), filter) })
    }

    /// Any log; `-` is stdin.
    fn named(path: &Path, filter: Filter) -> Result<Self, Error> {
        let log = match path.to_str() {
            Some("-") => Ok(Log::Pipe(Stream::new(Box::new(io::stdin())))),
            _ if path.is_file() => LogFile::open(path).map(Log::File),
            _ => File::open(path).map(|file| Log::Pipe(Stream::new(Box::new(file)))),
        };
        Ok(Self::new(path, log.map_err(|error| unreadable(&path.display().to_string(), &error))?, filter))
    }

    fn new(path: &Path, log: Log, filter: Filter) -> Self {
        let wanted = Wanted { filter, unreadable: 0 };
        Self { server: String::new(), name: escape(&path.display().to_string()), log, wanted }
    }

    /// Prints what is there, or the last of it.
    fn print(&mut self, args: &Access, rows: &mut Rows<'_>) -> Result<(), Error> {
        let mut lines = match args.last {
            Some(count) => self.last(count)?,
            None => {
                self.read(rows)?;
                VecDeque::new()
            }
        };
        // What follows may be the end of it.
        lines.extend(if args.follow { None } else { self.rest() });
        let surplus = lines.len().saturating_sub(args.last.unwrap_or(usize::MAX));
        lines.into_iter().skip(surplus).try_for_each(|line| rows.put(&self.server, line))?;
        rows.flush()
    }

    fn last(&mut self, count: usize) -> Result<VecDeque<Line>, Error> {
        let lines = during(&format!("read the access log `{}`", self.name), || match &mut self.log {
            Log::File(log) => log.last(count, &mut self.wanted),
            Log::Pipe(stream) => stream.last(count, &mut self.wanted),
        });
        lines.map_err(|error| unreadable(&self.name, &error))
    }

    /// Prints what there is to read now.
    fn read(&mut self, rows: &mut Rows<'_>) -> Result<(), Error> {
        while let Some(line) = self.next()? {
            rows.put(&self.server, line)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Line>, Error> {
        let line = match &mut self.log {
            Log::File(log) => log.stream().wanted(&mut self.wanted),
            Log::Pipe(stream) => stream.wanted(&mut self.wanted),
        };
        line.map_err(|error| unreadable(&self.name, &error))
    }

    /// Prints what has come, and what is in the file that has taken the place of this one.  Says whether more may come.
    fn go_on(&mut self, rows: &mut Rows<'_>) -> Result<bool, Error> {
        self.read(rows)?;
        let more = match &mut self.log {
            Log::File(log) => log.renew().map_err(|error| unreadable(&self.name, &error))?,
            Log::Pipe(_) => return self.rest().map_or(Ok(()), |line| rows.put(&self.server, line)).map(|()| false),
        };
        if more {
            self.read(rows)?;
        }
        rows.flush().map(|()| true)
    }

    /// A last line that has no end.
    fn rest(&mut self) -> Option<Line> {
        match &mut self.log {
            Log::File(log) => log.stream().rest(&mut self.wanted),
            Log::Pipe(stream) => stream.rest(&mut self.wanted),
        }
    }

    fn tell_unreadable(&self) {
        let name = &self.name;
        match self.wanted.unreadable {
            0 => {}
            1 => say(&format!("m2sh: 1 line of `{name}` is not one of an access log")),
            count => say(&format!("m2sh: {count} lines of `{name}` are not those of an access log")),
        }
    }
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    let refusal = Error::cannot(format!("read the access log `{}`", escape(name)), error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => refusal.hint("it belongs to another user: put `sudo` in front"),
        _ => refusal,
    }
}
