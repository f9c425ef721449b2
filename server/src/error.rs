//! Why a server doesn't start, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mongrel2::config::store::StoreError;
use thiserror::Error;

use crate::control::PortError;
use crate::pidfile::PidFileError;
use crate::target::handler::SocketError;
use crate::tls::TlsError;

/// Why a server doesn't start, or doesn't take a new configuration; fits after "cannot start:".
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error("there have to be two arguments, and at most one option: `-background` or `-foreground`")]
    Usage,
    #[error("cannot read `{0}`: {1}")]
    Store(PathBuf, StoreError),
    #[error("`{database}` has no server with the uuid `{uuid}`", database = database.display())]
    NoServer { database: PathBuf, uuid: String },
    #[error("the configuration is not sound:{}", list(.0))]
    Unsound(Vec<String>),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot enter the chroot `{0}`: {1}")]
    Chroot(PathBuf, io::Error),
    #[error("the database `{database}` lies outside the chroot `{chroot}`, where a reload would not find it",
        database = database.display(), chroot = chroot.display())]
    Outside { database: PathBuf, chroot: PathBuf },
    #[error("user {owner}, the owner of the chroot, cannot read `{path}`, which a reload needs: {error}",
        path = path.display())]
    Unreadable { path: PathBuf, owner: String, error: StoreError },
    #[error("cannot give up the rights of root: {0}")]
    Privilege(io::Error),
    #[error("cannot open the log `{0}`: {1}")]
    Log(PathBuf, io::Error),
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("cannot show metrics at {0}: {1}")]
    Metrics(SocketAddr, io::Error),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Control(#[from] PortError),
    #[error("cannot prepare ZeroMQ: {0}")]
    Zeromq(#[from] zmq::Error),
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

impl StartError {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        if matches!(self, Self::Usage) { 2 } else { 1 }
    }

    /// What is said on stderr.
    pub(crate) fn text(&self) -> String {
        let hint = self.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        format!("mongrel2: cannot start: {self}\n{hint}")
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match self {
            Self::Usage => Some("mongrel2 config.sqlite UUID, or easier: m2sh start".into()),
            Self::Store(path, StoreError::Missing(_)) => {
                Some(format!("m2sh load -db {} -config config.rhai", path.display()))
            }
            Self::NoServer { database, .. } => Some(format!("m2sh servers -db {}", database.display())),
            Self::Unsound(_) => Some("mend the script and `m2sh load` it again".into()),
            Self::Chroot(path, error) if missing(error) => Some(format!("mkdir -p {}", path.display())),
            Self::Outside { database, chroot } => Some(format!(
                "move it to {}, or name another chroot, and `m2sh load` again",
                chroot.join(database.file_name().unwrap_or_default()).display()
            )),
            Self::Unreadable { path, owner, .. } => Some(format!("chown {owner} {}", path.display())),
            Self::Log(path, error) | Self::PidFile(PidFileError::Io(path, error)) if missing(error) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                Some(format!("mkdir -p {} (in the chroot), or `m2sh start`, which does so", folder.display()))
            }
            Self::PidFile(PidFileError::Running(_)) => Some("m2sh reload, or m2sh stop".into()),
            Self::Listen(address, error) | Self::Metrics(address, error)
                if error.kind() == io::ErrorKind::AddrInUse =>
            {
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
            Self::Control(error) => error.hint(),
            Self::Tls(error) => error.hint(),
            _ => None,
        }
    }
}
