//! Both sides at work, sockets and bridge, until a signal.

use std::sync::Arc;
use std::time::Duration;

use mongrel2::app::handler::Host as Server;
use mongrel2::app::http::Host as Port;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::bridge::Bridge;
use crate::error::Error;
use crate::plan::Plan;
use crate::session::Sessions;
use crate::sockets::Sockets;

/// How many connections with the bridge there may be, most of which only wait; less than the 1024 descriptors that a
/// process mostly may have.
const CONNECTIONS: usize = 512;

/// How long a connection with the bridge may say nothing: a backend that connects has something to say.
const SILENCE: Duration = Duration::from_secs(5);

/// Serves until SIGINT or SIGTERM; a second one ends it at once.
///
/// # Errors
/// The port is taken, the server's addresses are wrong, or its socket fails.
pub(crate) async fn run(plan: Plan) -> Result<(), Error> {
    let mut signals = Signals::watch().map_err(Error::Signals)?;
    let listener = TcpListener::bind(plan.listen).await.map_err(|error| Error::Listen(plan.listen, error))?;
    let address = listener.local_addr().map_err(|error| Error::Listen(plan.listen, error))?;
    let server = Server::connect("ws2http", &plan.requests_from, &plan.replies_to)?;
    tracing::info!("takes sockets from {}, and orders at http://{address}/", plan.requests_from);
    let (stop, stopped) = oneshot::channel();
    let signalled = async {
        signals.next().await;
        tracing::info!("stops; a second signal skips the wait");
        // Nobody hears it only if it has stopped already.
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        served = serve(plan, listener, server, told(stopped)) => served,
        () = signalled => Ok(()),
    }
}

/// Serves until `stop`, the bridge longer than the sockets: who is told of the last events may have something to send.
async fn serve(plan: Plan, listener: TcpListener, server: Server, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let sockets = Arc::<Sockets>::default();
    let bridge = Bridge::new(Arc::clone(&sockets), plan.token);
    let sessions = Sessions { backends: plan.backends, sockets, pages: plan.pages, tries: plan.tries };

    let (end, ended) = oneshot::channel();
    let port = Port::on(listener).limit(CONNECTIONS).silence(SILENCE).patience(plan.patience);
    let port = tokio::spawn(port.serve(bridge, told(ended)));
    server.limit(plan.sockets).ping(plan.ping).patience(plan.patience).serve(sessions, stop).await?;
    // It never fails, and it has not panicked.
    let _ = end.send(());
    let _ = port.await;
    Ok(())
}

/// Waits until it is told, or forgotten.
async fn told(when: oneshot::Receiver<()>) {
    let _ = when.await;
}

/// The signals that end it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn watch() -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
