//! Where the sample runs, and a test reaches it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mongrel2::app;
use testkit::{Deployment, Process, free_address, wait};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, oneshot};

use super::sample::{Ears, sample};

/// How long a host that stops waits for answers: longer than any takes here, but for the one that never comes.
const PATIENCE: Duration = Duration::from_secs(2);

/// A host with the sample.
pub(super) trait Host: Sync {
    fn running(&self) -> &Running;
    /// Where clients connect.
    fn address(&self) -> SocketAddr;
    /// How many bytes of an answer may be in memory, at most, for a client that doesn't read yet.
    fn buffer(&self) -> usize;
}

/// The host's side.
pub(super) struct Running {
    said: Mutex<UnboundedReceiver<String>>,
    pub(super) go: Arc<Notify>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    fn start<F: Future<Output = ()>>(serve: impl FnOnce(Ears, oneshot::Receiver<()>) -> F + Send + 'static) -> Self {
        let ((said, heard), (stop, stopped)) = (unbounded_channel(), oneshot::channel());
        let go = Arc::<Notify>::default();
        let ears = Ears { said, go: Arc::clone(&go) };
        let thread = std::thread::spawn(move || {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(serve(ears, stopped));
        });
        Self { said: Mutex::new(heard), go, stop: Mutex::new(Some(stop)), thread: Mutex::new(Some(thread)) }
    }

    /// Waits until the sample says this.
    pub(super) fn hears(&self, what: &str) {
        let mut said = self.said.lock().unwrap();
        let mut heard = Vec::new();
        wait::until(&format!("`{what}`"), || {
            heard.extend(std::iter::from_fn(|| said.try_recv().ok()));
            heard.iter().any(|line| line == what).then_some(())
        });
    }

    /// Has the host stop.
    pub(super) fn stop(&self) {
        drop(self.stop.lock().unwrap().take());
    }

    /// Waits until it has.
    pub(super) fn wait(&self) {
        self.thread.lock().unwrap().take().unwrap().join().unwrap();
    }
}

async fn told(stop: oneshot::Receiver<()>) {
    // The sender is dropped to say so.
    let _ = stop.await;
}

/// Alone on a port.
pub(super) struct Alone {
    address: SocketAddr,
    running: Running,
}

impl Alone {
    pub(super) fn start() -> Self {
        let address = free_address();
        let running = Running::start(move |ears, stop| async move {
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            app::http::Host::on(listener).patience(PATIENCE).serve(sample(ears), told(stop)).await.unwrap();
        });
        wait::port(address);
        Self { address, running }
    }
}

impl Host for Alone {
    fn running(&self) -> &Running {
        &self.running
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn buffer(&self) -> usize {
        usize::MAX
    }
}

/// Behind a server.
pub(super) struct Behind {
    deployment: Deployment,
    running: Running,
    buffer: usize,
    _server: Process,
}

impl Behind {
    pub(super) fn start(config: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(config);
        let deployment = Deployment::of(path, &["6767", "9981", "9980"]);
        let _server = deployment.start();
        let (requests, replies) = (deployment.endpoint(1), deployment.endpoint(2));
        let chroot = deployment.path().to_owned();
        let running = Running::start(move |ears, stop| async move {
            let host = app::handler::Host::connect("sample", &requests, &replies).unwrap();
            host.chroot(chroot).patience(PATIENCE).serve(sample(ears), told(stop)).await.unwrap();
        });
        // Without flow control a client loses its connection when more waits for it than the server's 4 MiB.
        let buffer = if config.contains("files") { 4 * 1024 * 1024 } else { usize::MAX };
        Self { deployment, running, buffer, _server }
    }
}

impl Host for Behind {
    fn running(&self) -> &Running {
        &self.running
    }

    fn address(&self) -> SocketAddr {
        self.deployment.address(0)
    }

    fn buffer(&self) -> usize {
        self.buffer
    }
}
