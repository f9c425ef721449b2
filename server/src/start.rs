//! From the command line to a server that is ready to run: everything that can fail at the start, fails here,
//! with the next command to type.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mongrel2::config::paths::inside_chroot;
use mongrel2::config::store::Snapshot;
use mongrel2::config::{Checked, Database, Server, Severity, Target, check};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::control::{self, Port};
use crate::error::StartError;
use crate::listen;
use crate::log::{self, Writer};
use crate::metrics;
use crate::pidfile::PidFile;
use crate::privilege::{Privilege, may_write};
use crate::site::{Kept, Site};
use crate::statistics::{Collector, Ledger, Places};
use crate::target::directory::hidden::Hidden;
use crate::target::handler::Sockets;
use crate::target::proxy::System;
use crate::tls::Terms;
use crate::worker;

/// How many file descriptors are not for connections.
const RESERVED: usize = 128;

/// What a server is started with.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The database, as an absolute path; for root, as it is called in the chroot.
    pub(crate) database: PathBuf,
    pub(crate) uuid: String,
    pub(crate) ground: Ground,
}

/// Whether the server goes into the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Only root's does, and not if the setting `server.daemonize` is 0.
    AsConfigured,
    /// It does, whoever starts it.
    Back,
    /// It doesn't.
    Fore,
}

/// A configuration that has been read.
pub(crate) struct Loaded {
    pub(crate) checked: Checked,
    /// What is worth saying about it.
    pub(crate) notes: Vec<String>,
    /// The server's hosts and routes, in its generation.
    pub(crate) places: Places,
}

/// A server that is about to be started.
pub(crate) struct Plan {
    command: Command,
    loaded: Loaded,
    /// What root has to give up.
    privilege: Option<Privilege>,
    /// How many.
    workers: usize,
    /// How names are resolved, which can't be read in a chroot.
    system: System,
}

/// A server with everything open, before its first request.
pub(crate) struct Started {
    pub(crate) command: Command,
    pub(crate) checked: Checked,
    pub(crate) terms: Option<Arc<Terms>>,
    pub(crate) kept: Kept,
    pub(crate) control: Port,
    pub(crate) workers: Vec<worker::Thread>,
    pub(crate) collector: Collector,
    pub(crate) metrics: metrics::Change,
    pub(crate) log: Writer,
    pub(crate) pid_file: PidFile,
}

impl Ground {
    fn named(word: &OsStr) -> Option<Self> {
        match word.to_str()? {
            "-background" | "--background" => Some(Self::Back),
            "-foreground" | "--foreground" => Some(Self::Fore),
            _ => None,
        }
    }
}

impl Command {
    /// Reads `DATABASE UUID [-background | -foreground]`; the option may have two dashes and stand anywhere.
    ///
    /// # Errors
    /// There are more arguments, or fewer.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, StartError> {
        let mut ground = Ground::AsConfigured;
        let mut operands = arguments.into_iter().collect::<Vec<_>>();
        if let Some(at) = operands.iter().position(|word| Ground::named(word).is_some()) {
            ground = Ground::named(&operands.remove(at)).expect("it was found by its name");
        }
        let [database, uuid] = &operands[..] else {
            return Err(StartError::Usage);
        };
        let uuid = uuid.to_str().ok_or(StartError::Usage)?.to_owned();
        Ok(Self { database: std::path::absolute(database)?, uuid, ground })
    }

    /// Reads and checks the configuration of a server in the chroot `root`; `None` is the one that the
    /// configuration names.
    ///
    /// # Errors
    /// It can't be read, isn't sound, or has no such server.
    pub(crate) fn load(&self, root: Option<&Path>) -> Result<Loaded, StartError> {
        let database = Database::open_to_read(&self.database);
        let snapshot = database.and_then(|database| database.snapshot());
        let snapshot = snapshot.map_err(|error| StartError::Store(self.database.clone(), error))?;
        let Snapshot { config, .. } = &snapshot;
        let (checked, problems) = check(config.clone()).map_err(|problems| {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            StartError::Unsound(errors.map(|problem| problem.describe(config)).collect())
        })?;
        let Some(position) = checked.config().servers.iter().position(|server| server.uuid == self.uuid) else {
            return Err(StartError::NoServer { database: self.database.clone(), uuid: self.uuid.clone() });
        };
        let server = &checked.config().servers[position];
        if self.can_be_sent(server, root.unwrap_or(Path::new(&server.chroot))) {
            let message = format!("a sendfile_root of server `{}` would publish the database itself", server.label());
            return Err(StartError::Unsound(vec![message]));
        }
        let notes = problems.iter().map(|problem| problem.describe(config)).collect();
        Ok(Loaded { checked, notes, places: Places::new(&snapshot, position) })
    }

    /// Whether the database lies below what handlers may have sent, which no check of the configuration alone can tell.  A Dir
    /// never serves it.
    fn can_be_sent(&self, server: &Server, root: &Path) -> bool {
        let (Ok(database), Ok(root)) = (self.database.canonicalize(), root.canonicalize()) else {
            return false;
        };
        let Ok(inside) = database.strip_prefix(root) else {
            return false;
        };
        let targets = server.hosts.iter().flat_map(|host| &host.routes).map(|route| &route.target);
        let mut roots = targets.filter_map(|target| match target {
            Target::Handler(handler) => Some(&handler.sendfile_root).filter(|root| !root.is_empty()),
            Target::Dir(_) | Target::Proxy(_) | Target::Redirect(_) => None,
        });
        roots.any(|root| inside.starts_with(inside_chroot(root)))
    }
}

/// Where a server's logs are, from its chroot.
pub(crate) fn log_paths(server: &Server) -> log::Paths {
    log::Paths { access: inside_chroot(&server.access_log), error: inside_chroot(&server.error_log) }
}

/// Reads and checks everything that can be without opening or starting anything.
///
/// # Errors
/// What is wrong with the configuration, or with the chroot.
pub(crate) fn plan(mut command: Command) -> Result<Plan, StartError> {
    let loaded = command.load(None)?;
    let server = loaded.checked.server(&command.uuid).expect("load found it");
    let chroot = PathBuf::from(&server.chroot);
    let privilege = Privilege::held(&chroot).map_err(|error| StartError::Chroot(chroot.clone(), error))?;
    if let Some(privilege) = &privilege {
        let outside = || StartError::Outside { database: command.database.clone(), chroot };
        command.database = privilege.inside(&command.database).ok_or_else(outside)?;
    }
    let workers = match loaded.checked.settings().workers {
        // The answer lies in /proc, which a chroot doesn't have.
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    Ok(Plan { command, loaded, privilege, workers, system: System::read() })
}

impl Plan {
    /// Whether the server is to go on in the background.
    pub(crate) fn daemonizes(&self) -> bool {
        match self.command.ground {
            Ground::AsConfigured => self.privilege.is_some() && self.loaded.checked.settings().daemonize,
            Ground::Back => true,
            Ground::Fore => false,
        }
    }
}

/// Opens everything, gives up what rights there are beyond the chroot's owner, and starts the workers.
///
/// # Errors
/// Whatever can't be opened.
pub(crate) fn start(plan: Plan, foreground: bool) -> Result<Started, StartError> {
    let Plan { command, loaded: Loaded { checked, mut notes, places }, privilege, workers, system } = plan;
    let server = checked.server(&command.uuid).expect("load found it");
    enter(server, privilege.as_ref())?;
    let pid_file = PidFile::create(&inside_chroot(&server.pid_file))?;
    let files = log_paths(server).open().map_err(|(path, error)| StartError::Log(path, error))?;
    let address = server.address();
    let listeners = listen::bind(address, workers).map_err(|error| StartError::Listen(address, error))?;
    let metrics = metrics::bind(None, checked.settings().metrics)?;
    let mut kept = Kept::new(checked.settings(), system, Hidden::database(&command.database))?;
    let mut site = Site::build(&checked, server, places, &mut kept)?;
    kept.proxies.keep(&site);
    let control = Port::bind(&kept.sockets, checked.control_port(server), Duration::ZERO)?;
    if let Some(privilege) = &privilege {
        notes.extend(give_up(privilege, &checked, server, &command)?);
    }
    // With the rights that a reload will have.
    let (terms, warnings) = Terms::read(&checked, server, None)?;
    site.terms = terms;
    notes.extend(warnings);
    let site = Arc::new(site);
    let log = Writer::start(files)?;
    log::set_level(server.error_log_level);
    log::install(log.log());
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    let (first_id, descriptors) = (random_id()?, raise_descriptors());
    let options = worker::Options { first_id, access_log: !site.settings.no_access_log, foreground, descriptors };
    let workers = start_workers(&site, listeners, &options, &mut kept.sockets, &log)?;
    let ledger = Ledger::start(command.database.clone(), command.uuid.clone(), &site.places)?;
    let collector = Collector::new(&workers, ledger, &site.places, kept.sockets.queues());
    let (label, count) = (server.label(), workers.len());
    tracing::info!("{label} listens on {address} with {count} workers, process {}", std::process::id());
    let terms = site.terms.clone();
    Ok(Started { command, checked, terms, kept, control, workers, collector, metrics, log, pid_file })
}

fn enter(server: &Server, privilege: Option<&Privilege>) -> Result<(), StartError> {
    let entered = match privilege {
        Some(privilege) => privilege.enter(),
        None => std::env::set_current_dir(&server.chroot),
    };
    entered.map_err(|error| StartError::Chroot(PathBuf::from(&server.chroot), error))
}

/// Goes on as the chroot's owner; gives what the operator should know about that.
fn give_up(
    privilege: &Privilege,
    checked: &Checked,
    server: &Server,
    command: &Command,
) -> Result<Vec<String>, StartError> {
    let files = [&server.pid_file, &server.access_log, &server.error_log].map(|path| inside_chroot(path));
    let control = control::file(checked.control_port(server));
    for path in files.iter().cloned().chain(ipc_files(server)).chain(control) {
        privilege.hand_over(&path).map_err(StartError::Privilege)?;
    }
    privilege.give_up().map_err(StartError::Privilege)?;
    let readable = Database::open_to_read(&command.database).and_then(|database| database.servers());
    if let Err(error) = readable {
        let path = privilege.outside(&command.database);
        return Err(StartError::Unreadable { path, owner: privilege.owner(), error });
    }
    if privilege.stays() {
        return Ok(vec!["the server stays root, as the chroot belongs to root; chown it to give that up".into()]);
    }
    let folders: BTreeSet<_> = files.iter().filter_map(|file| file.parent()).map(current).collect();
    let locked = folders.into_iter().filter(|folder| !may_write(folder));
    let note = |folder: &Path| {
        let (folder, owner) = (privilege.outside(folder), privilege.owner());
        format!("files in `{}` can't be made anew by the server: chown {owner} it", folder.display())
    };
    Ok(locked.map(note).collect())
}

fn current(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The sockets of handlers that lie in the chroot.
fn ipc_files(server: &Server) -> impl Iterator<Item = PathBuf> {
    let targets = server.hosts.iter().flat_map(|host| &host.routes).map(|route| &route.target);
    let handlers = targets.filter_map(|target| match target {
        Target::Handler(handler) => Some([&handler.send_spec, &handler.recv_spec]),
        _ => None,
    });
    handlers.flatten().filter_map(|spec| spec.strip_prefix("ipc://")).map(inside_chroot)
}

fn start_workers(
    site: &Arc<Site>,
    listeners: Vec<TcpListener>,
    options: &worker::Options,
    sockets: &mut Sockets,
    log: &Writer,
) -> Result<Vec<worker::Thread>, StartError> {
    let workers = worker::start(site, listeners, options, log.log())?;
    site.activate();
    for (socket, worker) in sockets.take_fresh().into_iter().zip(workers.iter().cycle()) {
        worker.run(socket);
    }
    Ok(workers)
}

/// Where connection ids start: elsewhere at each start, so that replies meant for clients of an earlier run
/// find nobody; and low enough for handlers that keep ids in 32 bits.
fn random_id() -> io::Result<u64> {
    let random = getrandom::u32().map_err(io::Error::other)?;
    Ok(u64::from(random % (1 << 30)) + (1 << 16))
}

/// Raises the limit of file descriptors as far as it goes; gives how many connections may use, which leaves
/// some for files, handlers and logs.
fn raise_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // It stays as it is then, which is what counts below.
    let _ = setrlimit(Resource::Nofile, raised);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(RESERVED).max(1)
}
