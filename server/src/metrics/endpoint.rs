//! Where metrics are fetched: a small HTTP server on the main thread, for a few clients at a time.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mongrel2::config::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::connection::{Answer, Parsed, Persistence, error_page, parse_head};
use crate::error::StartError;
use crate::statistics::Shared;

/// How many clients are served at a time; others wait to be accepted.
const CLIENTS: usize = 4;

/// How long a client may take to say what it wants, and to go when it has it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a client may take in all.
const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait when the system has no more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// What the text is (Prometheus' exposition formats).
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The address where metrics are to be found from now on.
#[derive(Debug)]
pub(crate) enum Change {
    Same,
    Nowhere,
    At(std::net::TcpListener, SocketAddr),
}

/// Where metrics are to be found.
#[derive(Debug, Default)]
pub(crate) struct Endpoint(Option<(SocketAddr, AbortHandle)>);

/// Binds the address `wanted`, unless it is the one that there `is`.
///
/// # Errors
/// It can't be bound.
pub(crate) fn bind(is: Option<SocketAddr>, wanted: Option<SocketAddr>) -> Result<Change, StartError> {
    match wanted {
        _ if is == wanted => Ok(Change::Same),
        None => Ok(Change::Nowhere),
        Some(address) => {
            let bound = std::net::TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
            let listener = bound.map_err(|error| StartError::Metrics(address, error))?;
            Ok(Change::At(listener, address))
        }
    }
}

impl Endpoint {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|(address, _)| *address)
    }

    /// Serves at a new address, and no longer where it did; to be called in a runtime.
    pub(crate) fn take(&mut self, change: Change, collector: &Shared) {
        let next = match change {
            Change::Same => return,
            Change::Nowhere => None,
            Change::At(listener, address) => {
                tracing::info!("metrics are at http://{address}/metrics");
                Some((address, tokio::spawn(accept(listener, collector.clone())).abort_handle()))
            }
        };
        if let Some((_, before)) = std::mem::replace(&mut self.0, next) {
            before.abort();
        }
    }
}

async fn accept(listener: std::net::TcpListener, collector: Shared) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot show metrics: {error}"),
    };
    let seats = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let collector = collector.clone();
                tokio::spawn(async move {
                    // Whoever is too slow, or has left, gets nothing.
                    let _ = timeout(LONGEST, serve(stream, &collector)).await;
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection for metrics: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, collector: &Shared) -> io::Result<()> {
    let settings = Settings::new(&BTreeMap::new());
    let wanted = timeout(PATIENCE, read(&mut stream, &settings)).await??;
    let (ctype, body) = match wanted.status {
        200 => (CONTENT_TYPE, collector.page().await),
        status => ("text/html", error_page(status)),
    };
    stream.write_all(&answer(&wanted, ctype, &body)).await?;
    stream.shutdown().await?;
    // What the client has sent beside must not make the kernel reset the connection before it has the answer.
    let rest = async { while stream.read(&mut [0; 4096]).await.is_ok_and(|size| size > 0) {} };
    Ok(timeout(PATIENCE, rest).await?)
}

async fn read(stream: &mut TcpStream, settings: &Settings) -> io::Result<Wanted> {
    let mut bytes = Vec::new();
    loop {
        if let Some(wanted) = Wanted::read(&bytes, settings) {
            return Ok(wanted);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn answer(wanted: &Wanted, ctype: &str, body: &str) -> Vec<u8> {
    let mut answer = Answer::new(wanted.status, &httpdate::fmt_http_date(SystemTime::now()));
    if wanted.status == 405 {
        answer = answer.header("Allow", "GET, HEAD");
    }
    let answer = answer.header("Content-Type", ctype).header("Content-Length", body.len());
    let mut bytes = answer.finish(Persistence::Close);
    if !wanted.is_head {
        bytes.extend_from_slice(body.as_bytes());
    }
    bytes
}

/// What a client gets.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// 200 is the page.
    status: u16,
    is_head: bool,
}

impl Wanted {
    /// Reads the head of a request; `None` while it isn't there.
    fn read(bytes: &[u8], settings: &Settings) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        match parse_head(bytes, settings) {
            Ok(Parsed::Incomplete) => None,
            Err(bad) => Some(Self { status: bad.status(), is_head: false }),
            Ok(Parsed::Complete(head)) => {
                let method = head.method.of(bytes);
                let status = match (method, head.path.of(bytes)) {
                    (b"GET" | b"HEAD", b"/metrics") => 200,
                    (b"GET" | b"HEAD", _) => 404,
                    _ => 405,
                };
                Some(Self { status, is_head: method == b"HEAD" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_page_is_there() {
        let settings = Settings::new(&BTreeMap::new());
        for (line, status, is_head) in [
            ("GET /metrics HTTP/1.1", 200, false),
            ("HEAD /metrics?x=y HTTP/1.1", 200, true),
            ("GET / HTTP/1.1", 404, false),
            ("HEAD /metrics/ HTTP/1.1", 404, true),
            ("POST /metrics HTTP/1.1", 405, false),
            ("GET /metrics HTTP/2.0", 505, false),
            ("GET metrics HTTP/1.1", 400, false),
        ] {
            let text = format!("{line}\r\nHost: x\r\n\r\n");
            assert_eq!(Wanted::read(text.as_bytes(), &settings), Some(Wanted { status, is_head }), "{line}");
            assert_eq!(Wanted::read(b"GET /metrics HTTP/1.1\r\nHost", &settings), None);
        }
        let long = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(20_000));
        assert_eq!(Wanted::read(long.as_bytes(), &settings).unwrap().status, 431);
    }

    #[test]
    fn an_address_is_bound_when_it_changes() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Ok(Change::At(_listener, address)) = bind(None, Some(free)) else { panic!("{free} is free") };
        assert_eq!(address, free);
        assert!(matches!(bind(Some(free), Some(free)), Ok(Change::Same)));
        assert!(matches!(bind(Some(free), None), Ok(Change::Nowhere)));
        assert!(matches!(bind(None, Some(free)), Err(StartError::Metrics(..))));
    }
}
