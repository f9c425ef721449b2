//! What takes its time: it waits for somebody, or lasts as long as a client is there.

use std::time::Duration;

use mongrel2::app::{AppError, BodyError, Message, Request, Response, SocketError, WriteError};

use super::board::Run;

/// What never ends ends after all, so that a host that runs for long doesn't fill with it.
const NEVER: Duration = Duration::from_secs(3600);

/// Between two events.
const PAUSE: Duration = Duration::from_millis(1);

/// Nothing.
pub(super) async fn never() -> Result<(), AppError> {
    tokio::time::sleep(NEVER).await;
    Err("never has come".into())
}

/// An answer once it may go on.
pub(super) async fn wait(mut response: Response, run: &Run) -> Result<(), AppError> {
    run.said.push("waiting".into());
    tokio::time::timeout(NEVER, run.go.notified()).await?;
    Ok(response.send(200, (), "at last").await?)
}

/// Server-sent events, for as long as somebody listens.
pub(super) async fn events(mut response: Response, run: &Run) -> Result<(), AppError> {
    response.write_head(200, [("content-type", "text/event-stream")]).await?;
    for number in 0.. {
        match response.write(format!("data: {number}\n\n")).await {
            Ok(()) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                run.said.push(if error == WriteError::Gone { "left".into() } else { error.to_string() });
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads a body that may not end, and says how it did.
pub(super) async fn body(mut request: Request, run: &Run) -> Result<(), AppError> {
    run.said.push("reading".into());
    let end = loop {
        match request.body().next().await {
            Ok(Some(_)) => {}
            Ok(None) => break "whole".to_owned(),
            Err(BodyError::Gone) => break "left".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    run.said.push(end);
    Ok(())
}

/// A WebSocket that repeats what it is told.
pub(super) async fn socket(request: Request, mut response: Response, run: &Run) -> Result<(), AppError> {
    if !request.is_websocket() {
        let refused = response.accept(()).await.err().ok_or("nobody has asked, and it was accepted")?;
        return Ok(response.send(426, (), refused.to_string()).await?);
    }
    let mut socket = response.accept([("sec-websocket-protocol", "sample")]).await?;
    let end = loop {
        match socket.recv().await {
            Ok(Some(Message::Text(text))) if text == "close" => return Ok(socket.close(4000, "bye").await?),
            Ok(Some(Message::Text(text))) if text == "drop" => return Ok(()),
            Ok(Some(Message::Text(text))) if text == "panic" => panic!("on purpose"),
            Ok(Some(message)) => socket.send(message).await?,
            Ok(None) => break "closed".to_owned(),
            Err(SocketError::Gone) => break "left".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    run.said.push(end);
    Ok(())
}
