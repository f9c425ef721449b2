//! The threads of the workers, as the main thread sees them.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use super::{Mail, Mailbox, Worker};
use crate::addresses::Addresses;
use crate::log::{AccessLog, Log};
use crate::site::Site;
use crate::target::handler::Socket;

/// How many messages may wait for a worker before their sender waits.
const MAILBOX: usize = 1024;

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

    /// A way to the worker beside this one.
    pub(crate) fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// How many messages wait for the worker.
    pub(crate) fn waiting(&self) -> usize {
        self.mailbox.max_capacity() - self.mailbox.capacity()
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
pub(super) struct Seed {
    pub(super) index: usize,
    pub(super) site: Arc<Site>,
    pub(super) peers: Vec<mpsc::WeakSender<Mail>>,
    pub(super) next_id: u64,
    pub(super) access: Option<AccessLog>,
    pub(super) addresses: Addresses,
    pub(super) descriptors: usize,
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
