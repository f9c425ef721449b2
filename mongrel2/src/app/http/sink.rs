//! A response on its way to hyper: first the head, then a body that hyper asks for piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::socket::Handshake;
use super::wire::Cut;
use crate::app::{BoxFuture, Head, Sink, WebSocket, WriteError};

/// A response as hyper takes it.
pub(super) type Answer = hyper::Response<AnswerBody>;

/// Its body.
pub(super) enum AnswerBody {
    /// One of the host's own.
    Own(Option<Bytes>),
    /// What the application writes.
    Written { pieces: mpsc::Receiver<Piece>, cut: Option<Cut> },
}

/// A part of a body; without the last one it is cut.
pub(super) enum Piece {
    Bytes(Bytes),
    Last,
}

/// The application has not finished its response.
#[derive(Debug, Error)]
#[error("the answer was cut")]
pub(super) struct CutShort;

/// A response.
pub(super) struct Outgoing {
    handshake: Option<Handshake>,
    cut: Option<Cut>,
    state: State,
}

enum State {
    Nothing(oneshot::Sender<Answer>),
    Begun { pieces: mpsc::Sender<Piece>, has_length: bool },
    Ended,
}

/// A response, and where its head comes out.  `cut` tells how a connection is reset, if that is needed.
pub(super) fn outgoing(handshake: Option<Handshake>, cut: Option<Cut>) -> (Outgoing, oneshot::Receiver<Answer>) {
    let (sender, answer) = oneshot::channel();
    (Outgoing { handshake, cut, state: State::Nothing(sender) }, answer)
}

/// A whole answer of the host's own.
pub(super) fn own(status: StatusCode, is_head: bool) -> Answer {
    let text = format!("{}\n", status.canonical_reason().unwrap_or("Error"));
    let mut answer = Answer::new(AnswerBody::Own(None));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CONTENT_LENGTH, text.len().into());
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
    }
    if !is_head {
        *answer.body_mut() = AnswerBody::Own(Some(text.into()));
    }
    answer
}

impl Outgoing {
    fn begin(&mut self, status: StatusCode, headers: HeaderMap, body: AnswerBody) -> Result<(), WriteError> {
        let mut answer = Answer::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Nothing(sender) => sender.send(answer).map_err(|_| WriteError::Gone),
            State::Begun { .. } | State::Ended => Err(WriteError::SecondHead),
        }
    }
}

impl Sink for Outgoing {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        // One piece at a time: the client's pace is the application's.
        let (sender, pieces) = mpsc::channel(1);
        let has_length = head.length().is_some() || head.is_bodiless();
        let body = AnswerBody::Written { pieces, cut: self.cut.take() };
        let begun = self.begin(head.status, head.headers, body);
        if begun.is_ok() {
            self.state = State::Begun { pieces: sender, has_length };
        }
        Box::pin(std::future::ready(begun))
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let State::Begun { pieces, .. } = &self.state else { return Err(WriteError::NoHead) };
            pieces.send(Piece::Bytes(bytes)).await.map_err(|_| WriteError::Gone)
        })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let State::Begun { pieces, has_length } = &self.state else { return Err(WriteError::NoHead) };
            let (sent, has_length) = (pieces.send(Piece::Last).await, *has_length);
            self.state = State::Ended;
            // Nobody asks for anything behind a body whose length was told.
            if sent.is_ok() || has_length { Ok(()) } else { Err(WriteError::Gone) }
        })
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        Box::pin(async move {
            let handshake = self.handshake.take().ok_or(WriteError::NoWebSocket)?;
            let headers = handshake.headers(headers);
            self.begin(StatusCode::SWITCHING_PROTOCOLS, headers, AnswerBody::Own(None))?;
            handshake.open().await
        })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match self.get_mut() {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Written { pieces, cut } => pieces.poll_recv(context).map(|piece| match piece {
                Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::Last) => None,
                None => {
                    cut.iter().for_each(Cut::set);
                    Some(Err(CutShort))
                }
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Own(None))
    }
}
