//! The main thread of a running server: it waits for what the operator wants.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mongrel2::config::{Checked, Server};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::daemon::Caller;
use crate::error::StartError;
use crate::listen;
use crate::log;
use crate::signal::{Event, Signals};
use crate::site::Site;
use crate::start::{Command, Plan, Started, log_paths, start};
use crate::worker::{Mail, Thread};

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
    let Started { command, checked, sockets, workers, log, pid_file } = start(plan, caller.is_terminal())?;
    if !caller.is_terminal() {
        log.detach();
    }
    caller.serving()?;
    let mut running = Running { command, checked, sockets, workers, log };
    runtime.block_on(async {
        running.until_stopped(&mut signals).await;
        running.drain(&mut signals).await;
    });
    let Running { sockets, workers, log, .. } = running;
    workers.into_iter().for_each(Thread::join);
    // Waits for the last messages to handlers.
    drop(sockets);
    tracing::info!("stopped");
    log.finish();
    drop(pid_file);
    Ok(())
}

struct Running {
    command: Command,
    checked: Checked,
    sockets: crate::target::handler::Sockets,
    workers: Vec<Thread>,
    log: log::Writer,
}

impl Running {
    async fn until_stopped(&mut self, signals: &mut Signals) {
        loop {
            match signals.next().await {
                Event::Stop => return,
                Event::Reopen => self.reopen(&self.server().clone()),
                Event::Reload => {
                    let began = Instant::now();
                    match self.reload().await {
                        Ok(()) => tracing::info!("reloaded in {:.1} ms", began.elapsed().as_secs_f64() * 1000.0),
                        Err(error) => tracing::error!("cannot reload, the old configuration goes on: {error}"),
                    }
                }
            }
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

    /// Takes the configuration anew: builds all of it, then swaps.
    async fn reload(&mut self) -> Result<(), StartError> {
        let (checked, notes) = self.command.load(Some(Path::new(".")))?;
        let server = checked.server(&self.command.uuid).expect("load found it").clone();
        let built = Site::build(&checked, &server, &mut self.sockets);
        let site = Arc::new(built.inspect_err(|_| self.sockets.drop_fresh())?);
        let listeners = self.listeners(&server).inspect_err(|_| self.sockets.drop_fresh())?;
        notes.iter().for_each(|note| tracing::warn!("{note}"));
        self.warn_of_restart(&checked, &server);
        self.reopen(&server);
        log::set_level(server.error_log_level);
        for (socket, worker) in self.sockets.take_fresh().into_iter().zip(self.workers.iter().cycle()) {
            worker.post(Mail::Socket(Box::new(socket))).await;
        }
        site.activate();
        self.serve(&site).await;
        for (worker, listener) in self.workers.iter().zip(listeners) {
            worker.post(Mail::Listen(listener)).await;
        }
        self.checked = checked;
        Ok(())
    }

    /// New listeners if the address is another one.
    fn listeners(&self, server: &Server) -> Result<Vec<std::net::TcpListener>, StartError> {
        let address = server.address();
        if address == self.server().address() {
            return Ok(Vec::new());
        }
        listen::bind(address, self.workers.len()).map_err(|error| StartError::Listen(address, error))
    }

    /// Gives all workers the new site, and waits until each has it.
    async fn serve(&self, site: &Arc<Site>) {
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
        let old = self.server();
        let (settings, old_settings) = (checked.settings(), self.checked.settings());
        let fixed = [
            ("chroot", server.chroot != old.chroot),
            ("pid_file", server.pid_file != old.pid_file),
            ("server.daemonize", settings.daemonize != old_settings.daemonize),
            ("server.workers", settings.workers != old_settings.workers),
            ("zeromq.threads", settings.zeromq_threads != old_settings.zeromq_threads),
            ("limits.handler_queue", settings.handler_queue != old_settings.handler_queue),
            ("disable.access_logging", settings.no_access_log != old_settings.no_access_log),
        ];
        for (name, _) in fixed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!("the new value of `{name}` takes effect when the server is restarted");
        }
    }

    /// Accepts nothing more and gives answers in progress `server.drain_timeout`, or until the next signal to
    /// stop.
    async fn drain(&self, signals: &mut Signals) {
        tracing::info!("stopping");
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
        tokio::select! {
            _ = timeout(self.checked.settings().drain_timeout, all) => {}
            () = next_stop(signals) => {}
        }
        self.cut().await;
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

async fn next_stop(signals: &mut Signals) {
    while signals.next().await != Event::Stop {}
}
