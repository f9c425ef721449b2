//! A worker: one thread with an event loop, its listener, its connections and its share of handler sockets.
//!
//! Workers share nothing that changes.  What crosses from one to another, or comes from the main thread, is a
//! [`Mail`]; a connection's id tells which worker has it (id modulo number of workers).

mod deliver;
mod members;
mod report;
mod thread;

use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mongrel2::config::AccessLogFormat;
use mongrel2::wire::control::Selector;
use rustc_hash::FxHashMap;
use slab::Slab;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::addresses::Addresses;
use crate::connection::Line;
use crate::log::{Access, AccessLog};
use crate::site::Site;
use crate::statistics::{Counts, Exchange, Places, Tally};
use crate::target::directory::cache::Cache;
use crate::target::handler::{Inlet, SentFile, Socket};
use crate::target::proxy::Pool;

use self::members::Member;
use self::thread::Seed;

pub(crate) use self::deliver::{Control, Delivery};
pub(crate) use self::report::{Activity, Seen};
pub(crate) use self::thread::{Options, Thread, start};

/// For how long access lines are collected.
const FLUSH: Duration = Duration::from_millis(50);

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
    Deliver(Vec<u64>, Delivery, Arc<Inlet>),
    /// No handler has taken the request of this connection of yours.
    Unanswered(u64),
    /// Hand over what you have counted since you last did.
    Count(oneshot::Sender<Counts>),
    /// Accept nothing more, close what is idle, and say when the last connection is gone.
    Drain(oneshot::Sender<()>),
    /// Tell of your connections.
    Net(oneshot::Sender<Vec<Seen>>),
    /// Tell how you are.
    Activity(oneshot::Sender<Activity>),
    /// Close these connections, and say how many there were.
    Kill(Selector, oneshot::Sender<usize>),
    /// Tell handlers of the connections that are left, and say how many there are.
    Cut(oneshot::Sender<usize>),
}

/// What a handler, or the lack of one, has for a connection.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// Bytes for the client.
    Bytes(Bytes),
    /// A file for the client.
    File(SentFile),
    /// Close the connection behind what came before.
    Close,
    /// No handler has taken the request.
    Unanswered,
    /// A reload has removed the handler that the connection waits for.
    Removed,
}

impl Item {
    /// How many bytes of those that may wait for a client it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(_) => SentFile::WEIGHT,
            Self::Close | Self::Unanswered | Self::Removed => 0,
        }
    }
}

/// What the tasks of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    index: usize,
    site: RefCell<Arc<Site>>,
    peers: Vec<mpsc::WeakSender<Mail>>,
    /// The connections that a handler may have something for, by id.
    lines: RefCell<FxHashMap<u64, Rc<Line>>>,
    next_id: Cell<u64>,
    /// The connections.
    members: RefCell<Slab<Member>>,
    /// How many connections have been accepted since that was last told.
    accepted: Cell<u64>,
    tally: Tally,
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
    /// Connections to upstreams that rest.
    pool: Pool,
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
            accepted: Cell::new(0),
            tally: Tally::default(),
            addresses: seed.addresses,
            descriptors: seed.descriptors,
            draining: Cell::new(false),
            changed: Notify::new(),
            ended: Cell::new(false),
            access: seed.access,
            buffers: RefCell::default(),
            files: Cache::default(),
            pool: Pool::default(),
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
                    self.reload_lines(&site);
                    self.reload_places(&site.places);
                    self.pool.keep(|number| site.has_upstream(number));
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
                Mail::Deliver(ids, delivery, inlet) => self.deliver_here(&ids, &delivery, &inlet),
                Mail::Unanswered(id) => self.unanswered_here(id),
                Mail::Drain(done) => {
                    accepting.abort();
                    tokio::task::spawn_local(Rc::clone(&self).drain(done));
                }
                // Whoever asked may have given up, or be about to end.
                Mail::Count(told) => drop(told.send(self.hand_over())),
                Mail::Net(told) => drop(told.send(self.net())),
                Mail::Activity(told) => drop(told.send(self.activity())),
                Mail::Kill(selector, done) => drop(done.send(self.kill(&selector))),
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

    /// What is served now.
    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.borrow())
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// The small files that are kept in memory.
    pub(crate) fn files(&self) -> &Cache {
        &self.files
    }

    /// The connections to upstreams that rest.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Waits until the server ends.
    pub(crate) async fn ended(&self) {
        while !self.ended.get() {
            self.changed.notified().await;
        }
    }

    /// Counts a request that has been answered, at one of the places of its site.
    pub(crate) fn count(&self, places: &Arc<Places>, exchange: &Exchange) {
        self.tally.add(places, exchange);
    }

    fn hand_over(&self) -> Counts {
        Counts { sheets: self.tally.take(), accepted: self.accepted.take(), connections: self.connections() }
    }

    /// Whether there is an access log.
    pub(crate) fn keeps_log(&self) -> bool {
        self.access.is_some()
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
