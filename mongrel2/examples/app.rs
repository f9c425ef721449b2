//! An application, alone on a port while it is developed, or behind a server: a page, sums of bodies, a WebSocket.
//!
//! `cargo run -p mongrel2 --features app-http --example app -- 127.0.0.1:8080`, or with a server's `send_spec` and
//! `recv_spec`: `-- tcp://127.0.0.1:9997 tcp://127.0.0.1:9996`.  Ctrl-C stops it when all that has begun has ended.

use std::time::{Duration, Instant};

use mongrel2::app::layers::{Events, Layers, OnEnd};
use mongrel2::app::{self, AppError, Message, Request, Response};
use sha2::{Digest as _, Sha256};

#[tokio::main]
async fn main() -> Result<(), AppError> {
    let app = Layers::new().events(Log).around(answer);
    let stop = async {
        // Without signals it runs until it is killed.
        let _ = tokio::signal::ctrl_c().await;
    };
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [address] => {
            let listener = tokio::net::TcpListener::bind(address).await?;
            eprintln!("app: listens on http://{}/", listener.local_addr()?);
            Ok(app::http::Host::on(listener).serve(app, stop).await?)
        }
        [requests_from, replies_to] => {
            Ok(app::handler::Host::connect("app", requests_from, replies_to)?.serve(app, stop).await?)
        }
        _ => Err("usage: app ADDRESS, or app REQUESTS_FROM REPLIES_TO".into()),
    }
}

async fn answer(request: Request, mut response: Response) -> Result<(), AppError> {
    match request.uri().path() {
        "/" => Ok(response.send(200, [("content-type", "text/html")], PAGE).await?),
        "/sum" => sum(request, response).await,
        "/time" => time(response).await,
        "/echo" if request.is_websocket() => echo(response).await,
        _ => Ok(response.send(404, [("content-type", "text/plain")], "There is no such page.\n").await?),
    }
}

/// The checksum of a body, of which no more than a piece is ever in memory.
async fn sum(mut request: Request, mut response: Response) -> Result<(), AppError> {
    let mut sum = Sha256::new();
    while let Some(bytes) = request.body().next().await? {
        sum.update(&bytes);
    }
    let hex: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(response.send(200, [("content-type", "text/plain")], hex + "\n").await?)
}

/// Server-sent events, until the client has left: then writing is an error.
async fn time(mut response: Response) -> Result<(), AppError> {
    response.write_head(200, [("content-type", "text/event-stream"), ("cache-control", "no-store")]).await?;
    let (begin, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_secs(1)));
    loop {
        tick.tick().await;
        response.write(format!("data: you are here for {} seconds\n\n", begin.elapsed().as_secs())).await?;
    }
}

async fn echo(mut response: Response) -> Result<(), AppError> {
    let mut socket = response.accept(()).await?;
    while let Some(message) = socket.recv().await? {
        match message {
            Message::Text(text) => socket.send(format!("You said: {text}")).await?,
            bytes @ Message::Binary(_) => socket.send(bytes).await?,
        }
    }
    Ok(())
}

/// A line for each request that has ended.
struct Log;

impl Events for Log {
    fn request_starts(&self, request: &mut Request) -> Option<OnEnd> {
        let what = format!("{} {}", request.method(), request.uri().path());
        Some(Box::new(move |outcome| eprintln!("app: {what}: {outcome:?}")))
    }
}

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8"><title>An application</title>
<p id="time">…</p>
<form><input name="text" autofocus> <button>Say it</button></form><pre id="said"></pre>
<script>
new EventSource("time").onmessage = event => document.getElementById("time").textContent = event.data;
const socket = new WebSocket(new URL("echo", location.href.replace(/^http/, "ws")));
socket.onmessage = event => document.getElementById("said").append(event.data + "\n");
document.forms[0].onsubmit = event => { event.preventDefault(); socket.send(event.target.text.value); };
</script>
"#;
