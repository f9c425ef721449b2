//! Whether demos answer: a request for each, from here through the server to its program.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a program may take to begin with its work; on a busy machine they all begin at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two tries: nothing tells when a program has connected.
const TICK: Duration = Duration::from_millis(200);

/// The beginning of an answer: `HTTP/1.1 200`.
const STATUS: usize = 12;

/// Waits until something answers at a path that isn't the server in its place; gives whether that has come.
pub(super) async fn answers(address: SocketAddr, path: &str) -> bool {
    let answer = async {
        while !matches!(status(address, path).await, Some(status) if !(502..=504).contains(&status)) {
            sleep(TICK).await;
        }
    };
    timeout(PATIENCE, answer).await.is_ok()
}

async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = [0; STATUS];
    stream.read_exact(&mut head).await.ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}
