//! A handler under tokio: it answers requests, and between them tells everybody on a WebSocket how many there are.
//!
//! `cargo run -p mongrel2 --example tokio [REQUESTS_FROM REPLIES_TO]`: the server's `send_spec` and `recv_spec`.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use mongrel2::handler::{AsyncConnection, Frame, HandlerError, Request};
use serde_json::json;

/// How often those who listen are told.
const TICK: Duration = Duration::from_secs(1);

/// Who has a WebSocket open: the server, and the connection's id.
type Listeners = BTreeSet<(String, u64)>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let requests_from = args.next().unwrap_or_else(|| "tcp://127.0.0.1:9997".into());
    let replies_to = args.next().unwrap_or_else(|| "tcp://127.0.0.1:9996".into());
    let mut connection = AsyncConnection::connect("tokio", &requests_from, &replies_to)?;
    let mut listeners = Listeners::new();
    let mut tick = tokio::time::interval(TICK);
    loop {
        let done = tokio::select! {
            request = connection.recv() => match request {
                Ok(request) => answer(&mut connection, &request, &mut listeners).await,
                Err(error) => Err(error),
            },
            _ = tick.tick() => tell(&mut connection, &listeners).await,
        };
        match done {
            Ok(()) => {}
            // A message or a server that can't be used is no reason to stop serving the others.
            Err(error @ (HandlerError::Message { .. } | HandlerError::NoServer(_) | HandlerError::Frame(_))) => {
                eprintln!("tokio: skipped a message: {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn answer(
    connection: &mut AsyncConnection,
    request: &Request,
    listeners: &mut Listeners,
) -> Result<(), HandlerError> {
    let listener = (request.sender.clone(), request.id);
    if request.is_disconnect() {
        listeners.remove(&listener);
        return Ok(());
    }
    if request.is_handshake() {
        listeners.insert(listener);
        return connection.accept_websocket(request, &[]).await;
    }
    match request.frame().transpose()? {
        Some(Frame::Ping(bytes)) => connection.reply_websocket(request, &Frame::Pong(bytes)).await,
        Some(close @ Frame::Close(_)) => {
            listeners.remove(&listener);
            connection.reply_websocket(request, &close).await?;
            connection.close(request).await
        }
        Some(_) => Ok(()),
        None if request.is_notice() => Ok(()),
        None => connection.reply_http_json(request, 200, &[], &json!({ "listeners": listeners.len() })).await,
    }
}

async fn tell(connection: &mut AsyncConnection, listeners: &Listeners) -> Result<(), HandlerError> {
    let text = format!("{} are listening", listeners.len());
    let servers: BTreeSet<&String> = listeners.iter().map(|(server, _)| server).collect();
    for server in servers {
        let of_it = listeners.iter().filter(|listener| &listener.0 == server);
        let ids: Vec<u64> = of_it.map(|listener| listener.1).collect();
        connection.deliver_websocket(server, &ids, &Frame::Text(&text)).await?;
    }
    Ok(())
}
