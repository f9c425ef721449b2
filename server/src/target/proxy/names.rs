//! Addresses of upstreams by their names, found without the system's resolver.
//!
//! A server in its chroot has no `/etc`: what is there is read before it goes in, as a [`System`].  The questions to
//! name servers are asked by a thread of their own, which only exists from the first name on that needs it; workers
//! ask that thread.  It remembers answers until they expire.

mod system;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use system::System;

/// How long an answer may take in all.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 5 });

/// How long a name server may take, twice, so that an address of one kind is still given in time if the question for
/// the other kind is never answered.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How soon a name may be asked for again.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long an answer may be relied on, whatever its TTL.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long it may be believed that there is no such name.
const NEGATIVE: Duration = Duration::from_secs(10);

/// How many questions may wait for the thread to take them.
const QUESTIONS: usize = 64;

/// How many addresses of a name are of use.
const ADDRESSES: usize = 64;

/// Where a name leads for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// At least one; IPv4 first, none twice.
    pub(crate) addresses: Vec<IpAddr>,
    /// When it has to be asked again.
    pub(crate) until: Instant,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    #[error("there is no such name")]
    NotFound,
    #[error("no name server answers")]
    NoAnswer,
    #[error("there is no name server to ask")]
    NoServer,
    #[error("no thread can be started for it: {0}")]
    Thread(io::Error),
}

/// Finds the addresses of names; clones share a thread, which ends with the last of them.
#[derive(Debug, Clone)]
pub(crate) struct Names(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    system: System,
    config: ResolverConfig,
    /// The way to the thread, once there is one.
    thread: Mutex<Option<mpsc::Sender<Question>>>,
}

/// A name, and who wants to know about it.
struct Question {
    name: Name,
    answer: oneshot::Sender<Result<Resolved, NameError>>,
}

impl Names {
    /// Names as the system knows them; if there are `nameservers`, they are asked instead of the system's.
    pub(crate) fn start(system: &System, nameservers: &[SocketAddr]) -> Self {
        let (system, thread) = (system.clone(), Mutex::new(None));
        let config = system.config(nameservers);
        Self(Arc::new(Shared { system, config, thread }))
    }

    /// The addresses of a name, or of what is an address already.
    ///
    /// # Errors
    /// There are none, or nobody can tell within [`PATIENCE`].
    pub(crate) async fn resolve(&self, name: &str) -> Result<Resolved, NameError> {
        let Shared { system, config, .. } = &*self.0;
        let known = name.parse().map(|address| vec![address]).ok().or_else(|| system.addresses(name));
        if let Some(addresses) = known {
            return Ok(Resolved { addresses, until: Instant::now() + LONGEST });
        }
        let name = parse(name).ok_or(NameError::NotFound)?;
        if config.name_servers().is_empty() {
            return Err(NameError::NoServer);
        }
        self.ask(name).await
    }

    async fn ask(&self, name: Name) -> Result<Resolved, NameError> {
        let (answer, answered) = oneshot::channel();
        let thread = self.thread().map_err(NameError::Thread)?;
        // A question that is not taken drops its end of the channel, as one that is given up does.
        let _ = thread.send(Question { name, answer }).await;
        answered.await.unwrap_or(Err(NameError::NoAnswer))
    }

    fn thread(&self) -> io::Result<mpsc::Sender<Question>> {
        let mut thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(questions) = &*thread {
            return Ok(questions.clone());
        }
        let questions = start(self.0.config.clone(), self.0.system.dots())?;
        *thread = Some(questions.clone());
        Ok(questions)
    }
}

/// Reads a name; `None` if nothing can be called that.
fn parse(name: &str) -> Option<Name> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let name = Some(name).filter(|name| name.bytes().all(is_letter))?;
    Name::from_ascii(name).ok().filter(|name| !name.is_root())
}

/// Starts the thread; it ends when nobody can ask it any more.
fn start(config: ResolverConfig, dots: usize) -> io::Result<mpsc::Sender<Question>> {
    let (questions, taken) = mpsc::channel(QUESTIONS);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    *resolver.options_mut() = options(dots);
    let resolver = resolver.build().map_err(io::Error::other)?;
    std::thread::Builder::new().name("names".into()).spawn(move || serve(&runtime, &resolver, taken))?;
    Ok(questions)
}

fn options(dots: usize) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.ndots = dots;
    options.timeout = ATTEMPT;
    options.attempts = 1;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.positive_min_ttl = Some(SHORTEST);
    options.positive_max_ttl = Some(LONGEST);
    options.negative_min_ttl = Some(SHORTEST);
    options.negative_max_ttl = Some(NEGATIVE);
    options
}

fn serve(runtime: &Runtime, resolver: &TokioResolver, mut questions: mpsc::Receiver<Question>) {
    runtime.block_on(async move {
        while let Some(Question { name, answer }) = questions.recv().await {
            let resolver = resolver.clone();
            tokio::spawn(async move {
                let found = timeout(PATIENCE, resolver.lookup_ip(name)).await;
                let found = found.map_err(|_| NameError::NoAnswer).and_then(|found| judge(found, Instant::now()));
                // Who asked may have gone.
                let _ = answer.send(found);
            });
        }
    });
}

fn judge(found: Result<LookupIp, NetError>, now: Instant) -> Result<Resolved, NameError> {
    let found = found.map_err(|error| match error {
        NetError::Dns(DnsError::NoRecordsFound(records)) if is_final(records.response_code) => NameError::NotFound,
        _ => NameError::NoAnswer,
    })?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.iter().take(ADDRESSES) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    if addresses.is_empty() {
        return Err(NameError::NotFound);
    }
    Ok(Resolved { addresses, until: found.valid_until().clamp(now + SHORTEST, now + LONGEST) })
}

/// Whether this says that there is nothing, and not that it isn't known.
fn is_final(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::NXDomain | ResponseCode::NoError)
}

#[cfg(test)]
mod tests;
