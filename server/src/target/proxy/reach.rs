//! How a request gets a connection to an upstream: one that rests, or a new one; another upstream where one can't be
//! reached, since nothing has been sent then.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rustix::io::Errno;
use smallvec::SmallVec;
use thiserror::Error;
use tokio::time::{error::Elapsed, timeout};

use super::names::NameError;
use super::upstream::{Place, Upstream};
use super::{Addresses, Care, Link, Pool, Proxy};

/// How many addresses of a name are tried.
const ADDRESSES: usize = 4;

/// The numbers of the upstreams that a request has been tried with.
pub(crate) type Tried = SmallVec<[u64; 4]>;

/// Why no upstream can be reached; what is said last is said.
#[derive(Debug, Error)]
pub(crate) enum Unreached {
    #[error("no upstream is left to be tried")]
    Nobody,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("connecting takes longer than connect_timeout")]
    Timeout(#[from] Elapsed),
}

impl Unreached {
    /// Whether it says something about this machine, and nothing about the upstream.
    fn is_ours(&self) -> bool {
        let Self::Connect(error) = self else { return false };
        let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
        ours.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }

    /// What the client is told.
    pub(crate) fn status(&self) -> u16 {
        if matches!(self, Self::Timeout(_)) { 504 } else { 502 }
    }
}

impl Proxy {
    /// Gives a connection that rests, if there is nothing to choose from: what [`reach`](Self::reach) would give.
    pub(crate) fn resting(&self, pool: &Pool, care: Care) -> Option<Link> {
        if let [only] = &self.upstreams[..] { pool.take(only, care) } else { None }
    }

    /// Gives a connection to an upstream that hasn't been tried; with `fresh` a new one.
    ///
    /// # Errors
    /// None could be reached; those that are to blame have been noted as failures.
    pub(crate) async fn reach(&self, pool: &Pool, tried: &mut Tried, fresh: bool) -> Result<Link, Unreached> {
        let mut why = Unreached::Nobody;
        while let Some(upstream) = self.choose(tried, Instant::now()) {
            let resting = if fresh { None } else { pool.take(upstream, Care::Looked) };
            match resting {
                Some(link) => return Ok(link),
                None => match self.connect(upstream).await {
                    Ok(link) => return Ok(link),
                    Err(error) => {
                        if error.is_ours() {
                            upstream.tell_error(&error);
                        } else {
                            self.failed(upstream, &error);
                        }
                        tried.push(upstream.number);
                        why = error;
                    }
                },
            }
        }
        Err(why)
    }

    /// Connects to an upstream, at one of its addresses after the other.
    ///
    /// # Errors
    /// None of them answers in time.
    pub(crate) async fn connect(&self, upstream: &Arc<Upstream>) -> Result<Link, Unreached> {
        let connecting = async {
            let mut why = Unreached::Nobody;
            for address in self.addresses(upstream).await? {
                match Link::connect(address, upstream).await {
                    Ok(link) => return Ok(link),
                    Err(error) => why = error.into(),
                }
            }
            Err(why)
        };
        timeout(self.connect_timeout, connecting).await?
    }

    async fn addresses(&self, upstream: &Upstream) -> Result<Addresses, Unreached> {
        let with_port = |address| SocketAddr::new(address, upstream.port);
        match &upstream.place {
            Place::Address(address) => Ok(std::iter::once(with_port(*address)).collect()),
            Place::Name(name) => {
                let resolved = self.names.resolve(name).await?;
                Ok(resolved.addresses.into_iter().take(ADDRESSES).map(with_port).collect())
            }
        }
    }
}
