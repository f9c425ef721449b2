//! From the command line to a server that is ready to run: everything that can fail at the start, fails here,
//! with the next command to type.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mongrel2::config::paths::inside_chroot;
use mongrel2::config::store::StoreError;
use mongrel2::config::{Checked, Database, Server, Severity, check};
use thiserror::Error;

use crate::listen;
use crate::log::{self, Writer};
use crate::pidfile::{PidFile, PidFileError};
use crate::site::Site;
use crate::target::handler::{SocketError, Sockets};
use crate::worker;

/// What a server is started with.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The database, as an absolute path.
    pub(crate) database: PathBuf,
    pub(crate) uuid: String,
}

/// A server with everything open, before its first request.
pub(crate) struct Started {
    pub(crate) command: Command,
    pub(crate) checked: Checked,
    pub(crate) sockets: Sockets,
    pub(crate) workers: Vec<worker::Thread>,
    pub(crate) log: Writer,
    pub(crate) pid_file: PidFile,
}

/// Why a server doesn't start, or doesn't take a new configuration; fits after "cannot start:".
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error("there have to be two arguments")]
    Usage,
    #[error("cannot read `{0}`: {1}")]
    Store(PathBuf, StoreError),
    #[error("`{database}` has no server with the uuid `{uuid}`", database = database.display())]
    NoServer { database: PathBuf, uuid: String },
    #[error("the configuration is not sound:{}", list(.0))]
    Unsound(Vec<String>),
    #[error("the server speaks TLS (use_ssl), which this version does not have")]
    Tls,
    #[error("cannot enter the chroot `{0}`: {1}")]
    Chroot(PathBuf, io::Error),
    #[error("cannot open the log `{0}`: {1}")]
    Log(PathBuf, io::Error),
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("cannot prepare ZeroMQ: {0}")]
    Zeromq(#[from] zmq::Error),
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

impl StartError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match self {
            Self::Usage => Some("mongrel2 config.sqlite UUID, or easier: m2sh start".into()),
            Self::Store(path, StoreError::Missing(_)) => {
                Some(format!("m2sh load -db {} -config config.rhai", path.display()))
            }
            Self::NoServer { database, .. } => Some(format!("m2sh servers -db {}", database.display())),
            Self::Unsound(_) => Some("mend the script and `m2sh load` it again".into()),
            Self::Chroot(path, error) if missing(error) => Some(format!("mkdir -p {}", path.display())),
            Self::Log(path, error) | Self::PidFile(PidFileError::Io(path, error)) if missing(error) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                Some(format!("mkdir -p {} (in the chroot), or `m2sh start`, which does so", folder.display()))
            }
            Self::PidFile(PidFileError::Running(_)) => Some("m2sh reload, or m2sh stop".into()),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                Some(format!("see who listens there: ss -ltnp 'sport = :{}'", address.port()))
            }
            Self::Listen(address, error)
                if error.kind() == io::ErrorKind::PermissionDenied && address.port() < 1024 =>
            {
                Some("ports below 1024 need root, or a port above: m2sh start -sudo".into())
            }
            Self::Socket(error) if error.error == zmq::Error::EADDRINUSE => {
                Some("another program has this address; see who: ss -ltnp".into())
            }
            _ => None,
        }
    }
}

impl Command {
    /// Reads `DATABASE UUID`.
    ///
    /// # Errors
    /// There are more arguments, or fewer.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, StartError> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let [database, uuid] = &arguments[..] else {
            return Err(StartError::Usage);
        };
        let uuid = uuid.to_str().ok_or(StartError::Usage)?.to_owned();
        Ok(Self { database: std::path::absolute(database)?, uuid })
    }

    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// It can't be read, isn't sound, or has no such server.
    pub(crate) fn load(&self) -> Result<(Checked, Vec<String>), StartError> {
        let database = Database::open_to_read(&self.database);
        let config = database.and_then(|database| database.load());
        let config = config.map_err(|error| StartError::Store(self.database.clone(), error))?;
        let (checked, problems) = check(config.clone()).map_err(|problems| {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            StartError::Unsound(errors.map(|problem| problem.describe(&config)).collect())
        })?;
        match checked.server(&self.uuid) {
            None => Err(StartError::NoServer { database: self.database.clone(), uuid: self.uuid.clone() }),
            Some(server) if server.use_ssl => Err(StartError::Tls),
            Some(_) => Ok((checked, problems.iter().map(|problem| problem.describe(&config)).collect())),
        }
    }
}

/// Where a server's logs are, from its chroot.
pub(crate) fn log_paths(server: &Server) -> log::Paths {
    log::Paths { access: inside_chroot(&server.access_log), error: inside_chroot(&server.error_log) }
}

/// Opens everything and starts the workers.
///
/// # Errors
/// Whatever can't be opened.
pub(crate) fn start(command: Command) -> Result<Started, StartError> {
    let (checked, notes) = command.load()?;
    let server = checked.server(&command.uuid).expect("load found it");
    let chroot = PathBuf::from(&server.chroot);
    std::env::set_current_dir(&chroot).map_err(|error| StartError::Chroot(chroot, error))?;
    let pid_file = PidFile::create(&inside_chroot(&server.pid_file))?;
    let log = Writer::start(&log_paths(server)).map_err(|(path, error)| StartError::Log(path, error))?;
    log::set_level(server.error_log_level);
    log::install(log.log());
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    let mut sockets = Sockets::new(checked.settings())?;
    let site = Arc::new(Site::build(&checked, server, &mut sockets)?);
    let workers = start_workers(&site, server, &mut sockets, &log)?;
    Ok(Started { command, checked, sockets, workers, log, pid_file })
}

fn start_workers(
    site: &Arc<Site>,
    server: &Server,
    sockets: &mut Sockets,
    log: &Writer,
) -> Result<Vec<worker::Thread>, StartError> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let count = if site.settings.workers == 0 { cores() } else { site.settings.workers };
    let address = server.address();
    let listeners = listen::bind(address, count).map_err(|error| StartError::Listen(address, error))?;
    let options = worker::Options { first_id: random_id()?, access_log: !site.settings.no_access_log };
    let workers = worker::start(site, listeners, &options, log.log())?;
    site.activate();
    for (socket, worker) in sockets.take_fresh().into_iter().zip(workers.iter().cycle()) {
        worker.run(socket);
    }
    tracing::info!("{} listens on {address} with {count} workers, process {}", server.label(), std::process::id());
    Ok(workers)
}

/// Where connection ids start: elsewhere at each start, so that replies meant for clients of an earlier run
/// find nobody; and low enough for handlers that keep ids in 32 bits.
fn random_id() -> io::Result<u64> {
    let random = getrandom::u32().map_err(io::Error::other)?;
    Ok(u64::from(random % (1 << 30)) + (1 << 16))
}
