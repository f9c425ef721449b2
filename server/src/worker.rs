//! A worker: one thread with an event loop, its listener, its connections and its share of handler sockets.
//!
//! Workers share nothing that changes.  What crosses from one to another, or comes from the main thread, is a
//! [`Mail`]; a connection's id tells which worker has it (id modulo number of workers).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mongrel2::config::{AccessLogFormat, Settings};
use slab::Slab;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use crate::addresses::Addresses;
use crate::connection::{Accepted, Connection, Line, Phase, Vitals};
use crate::log::{Access, AccessLog, Log};
use crate::site::Site;
use crate::target::directory::cache::Cache;
use crate::target::handler::{Inlet, Socket};

/// How many messages may wait for a worker before their sender waits.
const MAILBOX: usize = 1024;

/// For how long access lines are collected.
const FLUSH: Duration = Duration::from_millis(50);

/// How long a worker that has no file descriptors left waits before it accepts again.
const PAUSE: Duration = Duration::from_millis(100);

/// How many idle buffers a worker keeps.
const BUFFERS: usize = 64;

/// The way to a worker.
pub(crate) type Mailbox = mpsc::Sender<Mail>;

/// What reaches a worker from outside.
pub(crate) enum Mail {
    /// Serve this from the next request on; then say so.
    Serve(Arc<Site>, oneshot::Sender<()>),
    /// Accept connections here, and no longer where you did.
    Listen(TcpListener),
    /// Run a handler socket.
    Socket(Box<Socket>),
    /// Something for connections of yours, from a handler.
    Deliver(Vec<u64>, Item, Arc<Inlet>),
    /// No handler has taken the request of this connection of yours.
    Unanswered(u64),
    /// Accept nothing more, close what is idle, and say when the last connection is gone.
    Drain(oneshot::Sender<()>),
    /// Tell handlers of the connections that are left, and say how many there are.
    Cut(oneshot::Sender<usize>),
}

/// What a handler, or the lack of one, has for a connection.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// Bytes for the client.
    Bytes(Bytes),
    /// Close the connection behind what came before.
    Close,
    /// No handler has taken the request.
    Unanswered,
}

/// A thread that serves.
#[derive(Debug)]
pub(crate) struct Thread {
    mailbox: Mailbox,
    thread: JoinHandle<()>,
}

impl Thread {
    /// Sends something to the worker.
    pub(crate) async fn post(&self, mail: Mail) {
        // A worker that has panicked has said so.
        let _ = self.mailbox.send(mail).await;
    }

    /// Gives the worker a handler socket, before anything else uses its mailbox.
    pub(crate) fn run(&self, socket: Socket) {
        if self.mailbox.blocking_send(Mail::Socket(Box::new(socket))).is_err() {
            tracing::error!("a worker has ended before it began");
        }
    }

    /// Waits for the end, after all mailboxes have been dropped.
    pub(crate) fn join(self) {
        let Self { mailbox, thread } = self;
        drop(mailbox);
        if thread.join().is_err() {
            tracing::error!("a worker has panicked");
        }
    }
}

/// What all workers are started with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The lowest id that a connection gets.
    pub(crate) first_id: u64,
    /// Whether there is an access log.
    pub(crate) access_log: bool,
    /// Whether requests are shown on the terminal.
    pub(crate) foreground: bool,
    /// How many file descriptors connections may have.
    pub(crate) descriptors: usize,
}

/// Starts one worker per listener.
///
/// # Errors
/// The system has no threads left.
pub(crate) fn start(
    site: &Arc<Site>,
    listeners: Vec<TcpListener>,
    options: &Options,
    log: &Log,
) -> std::io::Result<Vec<Thread>> {
    let (senders, receivers): (Vec<Mailbox>, Vec<_>) = listeners.iter().map(|_| mpsc::channel(MAILBOX)).unzip();
    let (count, listeners_count) = (listeners.len() as u64, listeners.len());
    let addresses = Addresses::default();
    let threads = listeners.into_iter().zip(receivers).enumerate().map(|(index, (listener, mail))| {
        let seed = Seed {
            index,
            site: Arc::clone(site),
            peers: senders.iter().map(mpsc::Sender::downgrade).collect(),
            next_id: options.first_id.next_multiple_of(count) + index as u64,
            addresses: addresses.clone(),
            descriptors: options.descriptors / listeners_count,
            access: options.access_log.then(|| AccessLog::new(log.clone(), options.foreground)),
        };
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        let thread = thread.spawn(move || run(seed, listener, mail))?;
        Ok(Thread { mailbox: senders[index].clone(), thread })
    });
    threads.collect()
}

/// What a worker is made from, on its own thread.
struct Seed {
    index: usize,
    site: Arc<Site>,
    peers: Vec<mpsc::WeakSender<Mail>>,
    next_id: u64,
    access: Option<AccessLog>,
    addresses: Addresses,
    descriptors: usize,
}

fn run(seed: Seed, listener: TcpListener, mail: mpsc::Receiver<Mail>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("cannot start a worker: {error}"),
    };
    let tasks = tokio::task::LocalSet::new();
    let worker = Rc::new(Worker::new(seed));
    tasks.block_on(&runtime, Rc::clone(&worker).read_mail(listener, mail));
    worker.flush_log();
}

/// A connection as its worker sees it.
#[derive(Debug)]
struct Member {
    vitals: Rc<Vitals>,
    task: AbortHandle,
}

/// What the tasks of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    index: usize,
    site: RefCell<Arc<Site>>,
    peers: Vec<mpsc::WeakSender<Mail>>,
    /// The connections that a handler may have something for, by id.
    lines: RefCell<HashMap<u64, Rc<Line>>>,
    next_id: Cell<u64>,
    /// The connections.
    members: RefCell<Slab<Member>>,
    addresses: Addresses,
    /// How many connections there are file descriptors for.
    descriptors: usize,
    /// Whether the server is about to stop.
    draining: Cell<bool>,
    /// Told when one of these three changes in a way that somebody waits for.
    changed: Notify,
    /// Whether the server ends now.
    ended: Cell<bool>,
    access: Option<AccessLog>,
    buffers: RefCell<Vec<Vec<u8>>>,
    files: Cache,
    date: RefCell<(u64, Rc<str>)>,
}

impl Worker {
    fn new(seed: Seed) -> Self {
        Self {
            index: seed.index,
            site: RefCell::new(seed.site),
            peers: seed.peers,
            lines: RefCell::default(),
            next_id: Cell::new(seed.next_id),
            members: RefCell::default(),
            addresses: seed.addresses,
            descriptors: seed.descriptors,
            draining: Cell::new(false),
            changed: Notify::new(),
            ended: Cell::new(false),
            access: seed.access,
            buffers: RefCell::default(),
            files: Cache::default(),
            date: RefCell::new((0, "".into())),
        }
    }

    async fn read_mail(self: Rc<Self>, listener: TcpListener, mut mail: mpsc::Receiver<Mail>) {
        let mut accepting = self.accept(listener);
        let mut sockets = JoinSet::new();
        tokio::task::spawn_local(Rc::clone(&self).sweep());
        while let Some(mail) = mail.recv().await {
            match mail {
                Mail::Serve(site, done) => {
                    *self.site.borrow_mut() = site;
                    self.files.clear();
                    // Nobody listens any more if the reload was given up.
                    let _ = done.send(());
                }
                Mail::Listen(listener) => {
                    accepting.abort();
                    accepting = self.accept(listener);
                }
                Mail::Socket(socket) => drop(sockets.spawn_local(socket.run(Rc::clone(&self)))),
                Mail::Deliver(ids, item, inlet) => self.deliver_here(ids, &item, &inlet),
                Mail::Unanswered(id) => self.unanswered_here(id),
                Mail::Drain(done) => {
                    accepting.abort();
                    tokio::task::spawn_local(Rc::clone(&self).drain(done));
                }
                Mail::Cut(done) => {
                    self.lines.take().values().for_each(|line| line.tell_gone());
                    let _ = done.send(self.members.borrow().len());
                }
            }
        }
        // Handler sockets send what is queued, and end.
        self.ended.set(true);
        self.changed.notify_waiters();
        sockets.join_all().await;
    }

    fn accept(self: &Rc<Self>, listener: TcpListener) -> AbortHandle {
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => worker.accept_all(listener).await,
                Err(error) => tracing::error!("cannot accept connections: {error}"),
            }
        })
        .abort_handle()
    }

    async fn accept_all(self: Rc<Self>, listener: tokio::net::TcpListener) {
        loop {
            self.room().await;
            match listener.accept().await {
                // A client of IPv4 on a socket of IPv6 goes by its own address.
                Ok((stream, peer)) => self.welcome(stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until this worker may have another connection.
    async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.members.borrow().len() < self.share() {
                return;
            }
            changed.await;
        }
    }

    /// This worker's share of `limits.connections`.
    fn share(&self) -> usize {
        match self.site.borrow().settings.connections {
            0 => self.descriptors,
            limit => limit.div_ceil(self.peers.len()),
        }
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let limit = self.site.borrow().settings.connections_per_address;
        let counted = if limit == 0 { None } else { self.addresses.count(peer.ip(), limit) };
        if limit > 0 && counted.is_none() {
            tracing::debug!("refused a connection from {peer}: its address has {limit} already");
            return;
        }
        let mut members = self.members.borrow_mut();
        let place = members.vacant_entry();
        let vitals = Rc::new(Vitals::new(Instant::now()));
        let accepted = Accepted { stream, peer, counted };
        let connection = Connection::new(accepted, Rc::clone(self), place.key(), Rc::clone(&vitals));
        let task = tokio::task::spawn_local(connection.serve()).abort_handle();
        place.insert(Member { vitals, task });
    }

    /// Drops the connections that are too slow, again and again.
    async fn sweep(self: Rc<Self>) {
        loop {
            tokio::time::sleep(self.settings().tick_timer).await;
            let (now, settings) = (Instant::now(), self.settings());
            for (_, member) in self.members.borrow().iter() {
                if let Some(phase) = member.vitals.fatal(now, &settings) {
                    if phase != Phase::Idle {
                        tracing::info!("dropped a connection that was too slow while {phase:?}");
                    }
                    member.task.abort();
                }
            }
        }
    }

    async fn drain(self: Rc<Self>, done: oneshot::Sender<()>) {
        self.draining.set(true);
        for (_, member) in self.members.borrow().iter().filter(|(_, member)| member.vitals.is_idle()) {
            member.task.abort();
        }
        loop {
            let changed = self.changed.notified();
            if self.members.borrow().is_empty() {
                break;
            }
            changed.await;
        }
        self.flush_log();
        let _ = done.send(());
    }

    /// What is served now.
    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.borrow())
    }

    /// The settings in force now.
    pub(crate) fn settings(&self) -> Settings {
        self.site.borrow().settings.clone()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// The small files that are kept in memory.
    pub(crate) fn files(&self) -> &Cache {
        &self.files
    }

    /// Waits until the server ends.
    pub(crate) async fn ended(&self) {
        while !self.ended.get() {
            self.changed.notified().await;
        }
    }

    /// Takes a connection from the others.
    pub(crate) fn closed(&self, key: usize) {
        let mut members = self.members.borrow_mut();
        let was_full = members.len() >= self.share();
        members.remove(key);
        if was_full || (self.draining.get() && members.is_empty()) {
            self.changed.notify_waiters();
        }
    }

    /// Registers a connection, so that handlers can reach it.
    pub(crate) fn register(&self) -> Rc<Line> {
        let id = self.next_id.get();
        self.next_id.set(id + self.peers.len() as u64);
        let line = Rc::new(Line::new(id));
        self.lines.borrow_mut().insert(id, Rc::clone(&line));
        line
    }

    /// Takes a connection out of the registry and tells the handlers that know it.
    pub(crate) fn unregister(&self, line: &Line) {
        self.lines.borrow_mut().remove(&line.id());
        line.tell_gone();
    }

    /// Hands something of a handler's to connections, of this worker and of others.
    pub(crate) async fn deliver(&self, ids: Vec<u64>, item: &Item, inlet: &Arc<Inlet>) {
        let mut elsewhere: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut here = Vec::new();
        for id in ids {
            match self.owner(id) {
                index if index == self.index => here.push(id),
                index => elsewhere.entry(index).or_default().push(id),
            }
        }
        self.deliver_here(here, item, inlet);
        for (index, ids) in elsewhere {
            self.post(index, Mail::Deliver(ids, item.clone(), Arc::clone(inlet))).await;
        }
    }

    /// Tells a connection, of this worker or another, that no handler has taken its request.
    pub(crate) async fn unanswered(&self, id: u64) {
        match self.owner(id) {
            index if index == self.index => self.unanswered_here(id),
            index => self.post(index, Mail::Unanswered(id)).await,
        }
    }

    fn unanswered_here(&self, id: u64) {
        if let Some(line) = self.lines.borrow().get(&id) {
            line.push(Item::Unanswered);
        }
    }

    fn owner(&self, id: u64) -> usize {
        usize::try_from(id % self.peers.len() as u64).expect("less than the number of workers")
    }

    async fn post(&self, index: usize, mail: Mail) {
        // A worker that has ended has no connections either.
        if let Some(mailbox) = self.peers[index].upgrade() {
            let _ = mailbox.send(mail).await;
        }
    }

    fn deliver_here(&self, ids: Vec<u64>, item: &Item, inlet: &Arc<Inlet>) {
        for id in ids {
            let line = self.lines.borrow().get(&id).cloned();
            match line {
                Some(line) if line.knows(inlet) => line.push(item.clone()),
                Some(_) => tracing::warn!("a handler replied to connection {id}, of which it has had no request"),
                None => inlet.dead(id),
            }
        }
    }

    /// Adds a line to the access log.
    pub(crate) fn log(self: &Rc<Self>, access: &Access<'_>) {
        if self.access.as_ref().is_some_and(|log| log.add(access, self.log_format())) {
            let worker = Rc::clone(self);
            tokio::task::spawn_local(async move {
                tokio::time::sleep(FLUSH).await;
                worker.flush_log();
            });
        }
    }

    fn log_format(&self) -> AccessLogFormat {
        self.site.borrow().settings.access_log_format
    }

    fn flush_log(&self) {
        if let Some(log) = &self.access {
            log.flush();
        }
    }

    /// An empty buffer with room for a request head.
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        let capacity = self.site.borrow().settings.buffer_size;
        let mut buffer = self.buffers.borrow_mut().pop().unwrap_or_default();
        buffer.reserve(capacity);
        buffer
    }

    /// Takes a buffer back.
    pub(crate) fn return_buffer(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        let usual = self.site.borrow().settings.buffer_size * 2;
        if buffers.len() < BUFFERS && (1..=usual).contains(&buffer.capacity()) {
            buffer.clear();
            buffers.push(buffer);
        }
    }

    /// Seconds since 1970, and the value of a `Date` header.
    pub(crate) fn date(&self) -> (u64, Rc<str>) {
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut date = self.date.borrow_mut();
        if date.0 != seconds {
            *date = (seconds, httpdate::fmt_http_date(now).into());
        }
        (date.0, Rc::clone(&date.1))
    }
}
