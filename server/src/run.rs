//! The main thread of a running server: it waits for what the operator wants, by signals and at the control port.

mod commands;

use std::net::TcpListener;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mongrel2::config::effect::fixed;
use mongrel2::config::{Checked, Server};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::control::{About, Control, Port};
use crate::daemon::Caller;
use crate::error::StartError;
use crate::listen;
use crate::log;
use crate::metrics;
use crate::signal::{Event, Signals};
use crate::site::{Kept, Site};
use crate::start::{Command, Loaded, Plan, Started, log_paths, start};
use crate::statistics::{Places, Statistics};
use crate::tls::Terms;
use crate::worker::{Mail, Thread};

/// How long libzmq may take to let go of an address that the control port had before.
const REBIND: Duration = Duration::from_secs(1);

/// Starts, and serves until a signal says to stop.
///
/// It listens to signals before anyone can find it by its PID file: a signal that nobody listens to kills.
///
/// # Errors
/// Whatever can't be opened; the system can't give what waiting for signals needs; nobody waits for the start any
/// more.
pub(crate) fn run(plan: Plan, caller: &mut Caller) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let started = start(plan, caller.is_terminal())?;
    let Started { command, checked, terms, kept, control, workers, collector, metrics, log, pid_file } = started;
    let about = About { generation: collector.generation(), started: collector.started(), workers: workers.len() };
    let control = runtime.block_on(async { Control::new(control) })?;
    let statistics = runtime.block_on(async { Statistics::begin(collector, metrics) });
    if !caller.is_terminal() {
        log.detach();
    }
    caller.serving()?;
    let mut running =
        Running { command, checked, terms, kept, control, workers, statistics, log, about, is_stopping: false };
    runtime.block_on(running.serve_all(&mut signals));
    // Nobody who still looks at the metrics may keep a worker from its end.
    drop(signals);
    drop(runtime);
    let Running { kept, control, workers, log, .. } = running;
    drop(control);
    workers.into_iter().for_each(Thread::join);
    // Waits for the last messages to handlers.
    drop(kept);
    tracing::info!("stopped");
    log.finish();
    drop(pid_file);
    Ok(())
}

struct Running {
    command: Command,
    checked: Checked,
    /// TLS as it is in force.
    terms: Option<Arc<Terms>>,
    kept: Kept,
    control: Control,
    workers: Vec<Thread>,
    statistics: Statistics,
    log: log::Writer,
    about: About,
    is_stopping: bool,
}

/// What a reload puts in the place of what there is.
struct Next {
    site: Arc<Site>,
    /// What is worth saying about its certificates.
    warnings: Vec<String>,
    /// None if they stay.
    listeners: Vec<TcpListener>,
    metrics: metrics::Change,
}

/// What has come of a reload.
#[derive(Debug)]
struct Reloaded {
    /// The number of the configuration's generation.
    generation: i64,
    /// What isn't as the configuration says.
    warnings: Vec<String>,
}

/// What an operator wants of the main thread.
enum Wish {
    /// By a signal.
    Event(Event),
    /// At the control port, which has to answer.
    Request(Bytes),
}

/// How the server is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// When the answers in progress are complete.
    Drained,
    /// At once.
    Cut,
}

impl Running {
    async fn serve_all(&mut self, signals: &mut Signals) {
        let end = self.until_stopped(signals).await;
        tracing::info!("stopping");
        if end == End::Drained {
            self.drain(signals).await;
        }
        self.cut().await;
        self.statistics.finish().await;
    }

    /// Does what operators want; gives how the server is to end.
    async fn until_stopped(&mut self, signals: &mut Signals) -> End {
        loop {
            match self.wish(signals).await {
                Wish::Event(Event::Stop) => return End::Drained,
                Wish::Event(Event::Reopen) => self.reopen(&self.server().clone()),
                Wish::Event(Event::Reload) => {
                    // What came of it is in the log.
                    let _ = self.reload().await;
                    self.control.settle();
                }
                Wish::Request(request) => {
                    if let Some(end) = self.serve(&request).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Waits for the next wish, and ends the sessions of proxies meanwhile whose time is up; nothing is lost if this is dropped.
    async fn wish(&mut self, signals: &mut Signals) -> Wish {
        tokio::select! {
            event = signals.next() => Wish::Event(event),
            request = self.control.request() => Wish::Request(request),
            never = self.kept.proxies.sweep() => match never {},
        }
    }

    fn server(&self) -> &Server {
        self.checked.server(&self.command.uuid).expect("a loaded configuration has it")
    }

    fn reopen(&self, server: &Server) {
        if let Err((path, error)) = self.log.reopen(&log_paths(server)) {
            tracing::error!("cannot open the log `{}`, the old one goes on: {error}", path.display());
        }
    }

    /// Takes the configuration anew, or leaves everything as it is; says so in the log.
    async fn reload(&mut self) -> Result<Reloaded, StartError> {
        let began = Instant::now();
        let result = self.replace().await;
        self.statistics.reloaded(result.is_ok()).await;
        match result {
            Ok(reloaded) => {
                self.about.generation = reloaded.generation;
                let took = began.elapsed().as_secs_f64() * 1000.0;
                tracing::info!("reloaded in {took:.1} ms, generation {}", reloaded.generation);
                Ok(reloaded)
            }
            Err(error) => {
                tracing::error!("cannot reload, the old configuration goes on: {error}");
                Err(error)
            }
        }
    }

    /// Builds everything that the configuration says now, then swaps.
    async fn replace(&mut self) -> Result<Reloaded, StartError> {
        let Loaded { checked, notes, places } = self.command.load(Some(Path::new(".")))?;
        let server = checked.server(&self.command.uuid).expect("load found it").clone();
        let built = self.build(&checked, &server, places).inspect_err(|_| self.kept.sockets.drop_fresh());
        let Next { site, warnings, listeners, metrics } = built?;
        notes.iter().chain(&warnings).for_each(|note| tracing::warn!("{note}"));
        self.warn_of_restart(&checked, &server);
        self.reopen(&server);
        log::set_level(server.error_log_level);
        for (socket, worker) in self.kept.sockets.take_fresh().into_iter().zip(self.workers.iter().cycle()) {
            worker.post(Mail::Socket(Box::new(socket))).await;
        }
        site.activate();
        self.swap(&site).await;
        self.kept.proxies.keep(&site);
        for (worker, listener) in self.workers.iter().zip(listeners) {
            worker.post(Mail::Listen(listener)).await;
        }
        self.statistics.serve(&site.places, self.kept.sockets.queues(), metrics).await;
        self.checked = checked;
        let generation = site.places.generation;
        self.terms = site.terms.clone();
        Ok(Reloaded { generation, warnings })
    }

    /// Everything that can fail.
    fn build(&mut self, checked: &Checked, server: &Server, places: Places) -> Result<Next, StartError> {
        let mut site = Site::build(checked, server, places, &mut self.kept)?;
        let (terms, warnings) = Terms::read(checked, server, self.terms.as_deref())?;
        site.terms = terms;
        let site = Arc::new(site);
        let listeners = self.listeners(server)?;
        let metrics = self.statistics.bind(checked.settings().metrics)?;
        let spec = checked.control_port(server);
        // One that has been closed stays so.
        if self.control.spec().is_some_and(|old| old != spec) {
            self.control.prepare(Port::bind(&self.kept.sockets, spec, REBIND)?)?;
        }
        Ok(Next { site, warnings, listeners, metrics })
    }

    /// New listeners if the address is another one.
    fn listeners(&self, server: &Server) -> Result<Vec<TcpListener>, StartError> {
        let address = server.address();
        if address == self.server().address() {
            return Ok(Vec::new());
        }
        listen::bind(address, self.workers.len()).map_err(|error| StartError::Listen(address, error))
    }

    /// Gives all workers the new site, and waits until each has it.
    async fn swap(&self, site: &Arc<Site>) {
        let mut answers = Vec::new();
        for worker in &self.workers {
            let (done, answer) = oneshot::channel();
            worker.post(Mail::Serve(Arc::clone(site), done)).await;
            answers.push(answer);
        }
        for answer in answers {
            // A worker that has panicked serves nothing, old or new.
            let _ = answer.await;
        }
    }

    /// Says what a reload can't change.
    fn warn_of_restart(&self, checked: &Checked, server: &Server) {
        for name in fixed((self.checked.config(), self.server()), (checked.config(), server)) {
            tracing::warn!("the new value of `{name}` takes effect when the server is restarted");
        }
    }

    /// Accepts nothing more and gives answers in progress `server.drain_timeout`, or until somebody wants the end once
    /// more.
    async fn drain(&mut self, signals: &mut Signals) {
        self.is_stopping = true;
        let mut answers = Vec::new();
        for worker in &self.workers {
            let (done, answer) = oneshot::channel();
            worker.post(Mail::Drain(done)).await;
            answers.push(answer);
        }
        let all = async {
            for answer in answers {
                let _ = answer.await;
            }
        };
        let mut all = pin!(timeout(self.checked.settings().drain_timeout, all));
        loop {
            let wish = tokio::select! {
                _ = &mut all => return,
                wish = self.wish(signals) => wish,
            };
            let ends = match wish {
                Wish::Event(event) => event == Event::Stop,
                Wish::Request(request) => self.serve(&request).await.is_some(),
            };
            if ends {
                return;
            }
        }
    }

    /// Closes what is left.
    async fn cut(&self) {
        let mut count = 0;
        for worker in &self.workers {
            let (done, answer) = oneshot::channel();
            worker.post(Mail::Cut(done)).await;
            count += answer.await.unwrap_or(0);
        }
        if count > 0 {
            tracing::warn!("{count} connections were closed in the middle of a request or its answer");
        }
    }
}
