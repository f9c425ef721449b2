//! A WebSocket without a server before it: the handshake is ours to judge, the frames are tungstenite's.

use std::time::Duration;

use ::http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use ::http::{HeaderMap, Method, StatusCode};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Request;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use crate::app::{BoxFuture, Duplex, Message, SocketError, WebSocket, WriteError};

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");

/// The longest message, in bytes.
const LONGEST: usize = 1024 * 1024;

/// How long a client may take to answer a close.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that asks for a WebSocket, and may have one.
pub(super) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
    stop: watch::Receiver<bool>,
}

impl Handshake {
    /// Looks whether a request asks for a WebSocket (RFC 6455, section 4.2.1).
    ///
    /// # Errors
    /// The status for one that asks in the wrong way.
    pub(super) fn asked<B>(request: &mut Request<B>, stop: watch::Receiver<bool>) -> Result<Option<Self>, StatusCode> {
        let headers = request.headers();
        let Some(key) = headers.get(KEY).filter(|_| has_token(headers, &UPGRADE, "websocket")) else {
            return Ok(None);
        };
        if request.method() != Method::GET || !has_token(headers, &CONNECTION, "upgrade") || key.len() != 24 {
            return Err(StatusCode::BAD_REQUEST);
        }
        if headers.get(VERSION).is_none_or(|version| version != "13") {
            return Err(StatusCode::UPGRADE_REQUIRED);
        }
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 is visible ASCII");
        Ok(Some(Self { accept, upgrade: hyper::upgrade::on(request), stop }))
    }

    /// The headers of the answer.
    pub(super) fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(ACCEPT, self.accept.clone());
        headers
    }

    /// The WebSocket, once the answer has been sent.
    pub(super) async fn open(self) -> Result<WebSocket, WriteError> {
        let upgraded = self.upgrade.await.map_err(|_| WriteError::Gone)?;
        let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        Ok(WebSocket::new(Socket { stream: Some(stream), stop: self.stop }))
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// A WebSocket.
struct Socket {
    /// `None` once it is closed.
    stream: Option<Stream>,
    stop: watch::Receiver<bool>,
}

impl Socket {
    async fn next_message(&mut self) -> Result<Option<Message>, SocketError> {
        loop {
            let stream = self.stream.as_mut().ok_or(SocketError::Closed)?;
            let next = tokio::select! {
                next = stream.next() => Some(next),
                () = stopped(&mut self.stop) => None,
            };
            let Some(next) = next else {
                self.end(CloseCode::Away, String::new()).await;
                return Ok(None);
            };
            match next {
                Some(Ok(Frame::Text(text))) => return Ok(Some(Message::Text(text.as_str().to_owned()))),
                Some(Ok(Frame::Binary(bytes))) => return Ok(Some(Message::Binary(bytes))),
                // Pings are answered by tungstenite.
                Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
                Some(Ok(Frame::Close(_))) => {
                    drain(self.stream.take()).await;
                    return Ok(None);
                }
                Some(Err(error)) => return Err(self.failed(error).await),
                None => {
                    self.stream = None;
                    return Err(SocketError::Gone);
                }
            }
        }
    }

    async fn failed(&mut self, error: Error) -> SocketError {
        let code = match error {
            Error::Utf8(_) => CloseCode::Invalid,
            Error::Capacity(_) => CloseCode::Size,
            Error::Protocol(error) if error != ProtocolError::ResetWithoutClosingHandshake => CloseCode::Protocol,
            _ => {
                self.stream = None;
                return SocketError::Gone;
            }
        };
        self.end(code, String::new()).await;
        SocketError::Protocol
    }

    /// Says that nothing more comes, and waits a while for the client to agree.
    async fn end(&mut self, code: CloseCode, reason: String) {
        let Some(mut stream) = self.stream.take() else { return };
        let frame = CloseFrame { code, reason: reason.into() };
        // A client that has left can't be told.
        let _ = tokio::time::timeout(PATIENCE, stream.close(Some(frame))).await;
        drain(Some(stream)).await;
    }
}

/// Waits until the host stops.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A host that was dropped has stopped, too.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Takes what comes until both sides have closed, so that the last frames arrive.
async fn drain(stream: Option<Stream>) {
    let Some(mut stream) = stream else { return };
    let all = async { while let Some(Ok(_)) = stream.next().await {} };
    let _ = tokio::time::timeout(PATIENCE, all).await;
}

impl Duplex for Socket {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Message>, SocketError>> {
        Box::pin(self.next_message())
    }

    fn send(&mut self, message: Message) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(async move {
            let stream = self.stream.as_mut().ok_or(SocketError::Closed)?;
            let frame = match message {
                Message::Text(text) => Frame::Text(text.into()),
                Message::Binary(bytes) => Frame::Binary(bytes),
            };
            stream.send(frame).await.map_err(|_| SocketError::Gone)
        })
    }

    fn close(&mut self, code: u16, reason: String) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(async move {
            if self.stream.is_none() {
                return Err(SocketError::Closed);
            }
            self.end(CloseCode::from(code), reason).await;
            Ok(())
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let (Some(stream), Ok(runtime)) = (self.stream.take(), tokio::runtime::Handle::try_current()) {
            let mut rest = Self { stream: Some(stream), stop: self.stop.clone() };
            let code = if *self.stop.borrow() { CloseCode::Away } else { CloseCode::Error };
            runtime.spawn(async move { rest.end(code, String::new()).await });
        }
    }
}
