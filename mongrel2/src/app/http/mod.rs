//! An application that stands alone on a port: HTTP/1.1, without a server before it, for development.
//!
//! It behaves as behind a server.  There is no TLS, no log and no protection from slow clients: that is what the server
//! is for.

mod sink;
mod socket;
mod wire;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::uri::Scheme;
use ::http::{Method, StatusCode, Version};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::tasks::Tasks;
use super::{Application, Body, BodyError, BoxFuture, Request, Response, Source};
use sink::Answer;
use socket::{Handshake, stopped};
use wire::{Cut, Wire};

/// How long to wait when the system has no descriptor left for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves an application on its own, for ever; see [`Host`] for more.
///
/// # Errors
/// Those of [`Host::serve`].
pub async fn serve(app: impl Application, listener: TcpListener) -> io::Result<()> {
    Host::on(listener).serve(app, std::future::pending()).await
}

/// How many bytes of a connection are read ahead of the application; a head that is longer gets 431.
const LONGEST_HEAD: usize = 64 * 1024;

/// A port for an application.
pub struct Host {
    listener: TcpListener,
    limit: usize,
    silence: Duration,
    patience: Duration,
}

/// What all connections of a host have in common.
struct Shared<A> {
    app: Arc<A>,
    tasks: Tasks,
    silence: Duration,
    stop: watch::Receiver<bool>,
}

impl Host {
    /// A host for the connections that come to a listener.
    pub fn on(listener: TcpListener) -> Self {
        Self { listener, limit: 10_000, silence: Duration::from_secs(30), patience: Duration::from_secs(30) }
    }

    /// How many connections there may be at a time: 10,000, or this.  Others wait.
    #[must_use]
    pub fn limit(mut self, connections: usize) -> Self {
        self.limit = connections;
        self
    }

    /// How long a connection may take for the head of a request, and be idle before it: 30 seconds, or this; 0: for ever.
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// For how long a host that stops waits for requests that are being answered: 30 seconds, or this.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Serves an application until `stop`.
    ///
    /// Then WebSockets are closed with 1001, and requests that are being answered have time to end.
    ///
    /// # Errors
    /// None yet: a connection that can't be accepted is tried again.
    pub async fn serve(self, app: impl Application, stop: impl Future<Output = ()>) -> io::Result<()> {
        let (stopping, stopped) = watch::channel(false);
        let (app, tasks) = (Arc::new(app), Tasks::default());
        let shared = Arc::new(Shared { app, tasks, silence: self.silence, stop: stopped });
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept_all(&self.listener, self.limit, &shared, &mut connections) => {}
            () = stop => {}
        }
        drop(self.listener);
        stopping.send_replace(true);
        let deadline = tokio::time::Instant::now() + self.patience;
        shared.tasks.end(self.patience).await;
        // What the application has written may be on its way still.
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(deadline, all).await;
        Ok(())
    }
}

/// Takes connections for ever.
async fn accept_all<A: Application>(
    listener: &TcpListener,
    limit: usize,
    shared: &Arc<Shared<A>>,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(limit));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, client)) => {
                let shared = Arc::clone(shared);
                connections.spawn(async move {
                    let _place = place;
                    speak(stream, client.ip(), shared).await;
                });
            }
            Err(error) => {
                tracing::error!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves a connection to its end.
async fn speak<A: Application>(stream: TcpStream, client: IpAddr, shared: Arc<Shared<A>>) {
    // Without it small answers would be late; that is no reason not to give them.
    let _ = stream.set_nodelay(true);
    let (wire, cut) = Wire::new(stream);
    let (mut stop, silence) = (shared.stop.clone(), Some(shared.silence).filter(|silence| !silence.is_zero()));
    let service = service_fn(move |request| {
        let (shared, cut) = (Arc::clone(&shared), cut.clone());
        async move { Ok::<_, Infallible>(answer(request, client, &shared, cut).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(silence).max_buf_size(LONGEST_HEAD);
    let connection = builder.serve_connection(TokioIo::new(wire), service);
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection of {client} has ended: {error}");
    }
}

/// Calls the application with a request; gives its answer, once there is a head.
async fn answer<A: Application>(
    mut request: hyper::Request<Incoming>,
    client: IpAddr,
    shared: &Shared<A>,
    cut: Cut,
) -> Answer {
    let is_head = request.method() == Method::HEAD;
    let handshake = match Handshake::asked(&mut request, shared.stop.clone()) {
        Ok(handshake) => handshake,
        Err(status) => return sink::own(status, is_head),
    };
    let is_socket = handshake.is_some();
    let (head, body) = request.into_parts();
    let (sink, answer) = sink::outgoing(handshake, Some(cut).filter(|_| head.version == Version::HTTP_10));
    let response = Response::new(&head.method, sink);
    let body = if body.is_end_stream() { Body::empty() } else { Body::from_source(Received(body)) };
    shared.tasks.call(&shared.app, Request::new(head, client, Scheme::HTTP, is_socket, body), response);
    answer.await.unwrap_or_else(|_| sink::own(StatusCode::INTERNAL_SERVER_ERROR, is_head))
}

/// A body as it comes; no more of it is taken than is asked for.
struct Received(Incoming);

impl Source for Received {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(async {
            while let Some(frame) = self.0.frame().await {
                match frame {
                    // Trailers are no part of it.
                    Ok(frame) => match frame.into_data() {
                        Ok(bytes) => return Ok(Some(bytes)),
                        Err(_) => continue,
                    },
                    Err(error) if error.is_parse() => return Err(BodyError::Io(io::Error::other(error))),
                    Err(_) => return Err(BodyError::Gone),
                }
            }
            Ok(None)
        })
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Host").field(&self.listener).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn start(silence: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = |_request: Request, mut response: Response| async move { Ok(response.send(200, (), "hi").await?) };
        tokio::spawn(Host::on(listener).silence(silence).serve(app, std::future::pending()));
        address
    }

    /// What comes until the end, for so many bytes.
    async fn heard(address: SocketAddr, bytes: &str) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut heard = Vec::new();
        // One that was too slow is reset.
        let _ = client.write_all(bytes.as_bytes()).await;
        let _ = client.read_to_end(&mut heard).await;
        String::from_utf8(heard).unwrap()
    }

    #[tokio::test]
    async fn a_connection_that_is_silent_is_closed() {
        let (short, long) = (start(Duration::from_millis(50)).await, start(Duration::ZERO).await);
        let kept = TcpStream::connect(long).await.unwrap();
        for beginning in ["", "GET / HTTP/1.1\r\nHost"] {
            assert!(!heard(short, beginning).await.contains("200 OK"));
        }
        // One that has been answered, which a machine that is slow itself may not do in time.
        while !heard(short, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ends_with("hi") {}
        assert_eq!(kept.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_head_is_short() {
        let beginning = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
        let long = format!("{beginning}{}", "x".repeat(LONGEST_HEAD - beginning.len()));
        assert!(heard(start(Duration::from_secs(30)).await, &long).await.starts_with("HTTP/1.1 431 "));
    }
}
