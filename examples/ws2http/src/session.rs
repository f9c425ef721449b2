//! A socket from its handshake to its end: an application for WebSockets.
//!
//! The client is answered when the backend has taken the `open`: what the backend refuses was never a socket.  From then
//! on messages go both ways, each in its order, and the last event of all is the `close`.

use std::sync::Arc;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, StatusCode};
use mongrel2::app::{AppError, Application, Message, Request, Response, SocketError, WebSocket};

use crate::backend::Backend;
use crate::backends::Backends;
use crate::courier::{Courier, Outcome};
use crate::event::{self, Event, Trouble};
use crate::mailbox::Mailbox;
use crate::order::Letter;
use crate::origin::Pages;
use crate::queue::Queue;
use crate::sockets::{Place, Sockets};

/// How many bytes of messages may wait for the backend before no more are taken from the client.
const ROOM: usize = 256 * 1024;

/// The code for a client that reads too slowly (IANA's registry).
const TRY_LATER: u16 = 1013;

/// What all sockets have in common.
pub(crate) struct Sessions {
    pub(crate) backends: Backends<Arc<Backend>>,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) pages: Pages,
    pub(crate) tries: u32,
}

impl Application for Sessions {
    fn call(&self, request: Request, response: Response) -> impl Future<Output = Result<(), AppError>> + Send {
        self.answer(request, response)
    }
}

impl Sessions {
    /// Answers a handshake, and has the socket to its end.
    ///
    /// # Errors
    /// The client has left before it was answered.
    async fn answer(&self, request: Request, mut response: Response) -> Result<(), AppError> {
        let backend = match self.admit(&request) {
            Ok(backend) => backend,
            Err(refusal) => return refusal.send(response).await,
        };
        let uri = request.uri().path_and_query().map_or("/", |uri| uri.as_str());
        let place = self.sockets.enter(uri)?;
        let headers = event::passed(&request);
        let events = Queue::new(ROOM);
        let mut courier = Courier::new(Arc::clone(backend), &place, headers, self.tries, &events);
        let protocol = match courier.bring(&Event::Open).await {
            Outcome::Taken(protocol) => protocol.filter(|protocol| event::offers(request.headers(), protocol)),
            Outcome::Refused => return Refusal::Unwanted.send(response).await,
            Outcome::GivenUp => {
                drop(place);
                // It may have been told and not have said so.
                events.push(Event::Close, 0);
                events.end();
                let answered = Refusal::Unheard.send(response).await;
                courier.bring_all().await;
                return answered;
            }
        };
        let headers: HeaderMap = protocol.into_iter().map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)).collect();
        tracing::debug!("{} is open", place.id.short());
        tokio::join!(live(&mut response, headers, place, &events), courier.bring_all());
        Ok(())
    }

    fn admit(&self, request: &Request) -> Result<&Arc<Backend>, Refusal> {
        if !request.is_websocket() {
            return Err(Refusal::NoSocket);
        }
        if !self.pages.may_open(request.headers()) {
            return Err(Refusal::Page);
        }
        self.backends.find(request.uri().path()).ok_or(Refusal::Path)
    }
}

/// Why a client gets no socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NoSocket,
    Page,
    Path,
    Unwanted,
    Unheard,
}

impl Refusal {
    async fn send(self, mut response: Response) -> Result<(), AppError> {
        let (status, text) = match self {
            Self::NoSocket => (StatusCode::UPGRADE_REQUIRED, "this is for WebSockets\n"),
            Self::Page => (StatusCode::FORBIDDEN, "this is not for pages of other sites\n"),
            Self::Path => (StatusCode::NOT_FOUND, "there is no socket here\n"),
            Self::Unwanted => (StatusCode::FORBIDDEN, "you may not have this socket\n"),
            Self::Unheard => (StatusCode::SERVICE_UNAVAILABLE, "there is no socket at the moment\n"),
        };
        let mut headers = vec![("content-type", "text/plain")];
        if self == Self::NoSocket {
            headers.extend([("upgrade", "websocket"), ("connection", "upgrade")]);
        }
        Ok(response.send(status, &headers[..], text).await?)
    }
}

/// Opens a socket and has it to its end, with all events that come of it.
async fn live(response: &mut Response, headers: HeaderMap, place: Place, events: &Queue<Event>) {
    let end = match response.accept(headers).await {
        Ok(mut socket) => talk(&mut socket, &place.mailbox, events).await,
        Err(_) => Err(Trouble::Gone),
    };
    tracing::debug!("{} has ended: {end:?}", place.id.short());
    // Whoever is told of the close can't send there any more.
    drop(place);
    if let Err(trouble) = end {
        events.push(Event::Error(trouble), 0);
    }
    events.push(Event::Close, 0);
    events.end();
}

/// What is next for a socket.
enum Next {
    Event(Result<Option<Message>, SocketError>),
    Letter(Letter),
    Overflow,
}

/// Has messages go both ways until one side closes.
async fn talk(socket: &mut WebSocket, mailbox: &Mailbox, events: &Queue<Event>) -> Result<(), Trouble> {
    loop {
        let next = tokio::select! {
            message = receive(socket, events) => Next::Event(message),
            letter = mailbox.next() => Next::Letter(letter),
            () = mailbox.overflow() => Next::Overflow,
        };
        match next {
            Next::Event(Ok(Some(message))) => {
                let event = Event::Message(message);
                let size = event.size();
                events.push(event, size);
            }
            Next::Event(Ok(None)) => return Ok(()),
            Next::Event(Err(SocketError::Protocol)) => return Err(Trouble::Protocol),
            Next::Event(Err(_)) => return Err(Trouble::Gone),
            Next::Letter(letter) => {
                if !send(socket, mailbox, letter).await? {
                    return Ok(());
                }
            }
            Next::Overflow => {
                // Whether it hears that it was too slow doesn't matter any more.
                let _ = socket.close(TRY_LATER, "").await;
                return Err(Trouble::Slow);
            }
        }
    }
}

/// Takes a message of the client, once there is room for it.
async fn receive(socket: &mut WebSocket, events: &Queue<Event>) -> Result<Option<Message>, SocketError> {
    events.room().await;
    socket.recv().await
}

/// Sends a letter; gives whether the socket is open behind it.
async fn send(socket: &mut WebSocket, mailbox: &Mailbox, letter: Letter) -> Result<bool, Trouble> {
    let Some(message) = letter.message() else {
        if let Letter::Close { code, reason } = &letter {
            socket.close(*code, reason).await.map_err(|_| Trouble::Gone)?;
        }
        return Ok(false);
    };
    tokio::select! {
        sent = socket.send(message) => sent.map(|()| true).map_err(|_| Trouble::Gone),
        // What was begun can't be ended in good order.
        () = mailbox.overflow() => Err(Trouble::Slow),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use mongrel2::app::{BoxFuture, Duplex};

    use super::*;
    use crate::order::LONGEST;

    /// A client that notes what it gets.
    #[derive(Clone, Default)]
    struct Client {
        heard: Arc<Mutex<Vec<String>>>,
        /// How often it has spoken, in messages of 60 KiB, if it speaks at all.
        spoken: Option<Arc<Mutex<usize>>>,
        reads: bool,
    }

    impl Client {
        fn heard(&self) -> Vec<String> {
            self.heard.lock().unwrap().clone()
        }
    }

    impl Duplex for Client {
        fn recv(&mut self) -> BoxFuture<'_, Result<Option<Message>, SocketError>> {
            Box::pin(async {
                let Some(spoken) = &self.spoken else { std::future::pending().await };
                *spoken.lock().unwrap() += 1;
                Ok(Some(Message::Binary(vec![0; 60 * 1024].into())))
            })
        }

        fn send(&mut self, message: Message) -> BoxFuture<'_, Result<(), SocketError>> {
            Box::pin(async move {
                if !self.reads {
                    std::future::pending::<()>().await;
                }
                self.heard.lock().unwrap().push(format!("{message:?}"));
                Ok(())
            })
        }

        fn close(&mut self, code: u16, reason: String) -> BoxFuture<'_, Result<(), SocketError>> {
            self.heard.lock().unwrap().push(format!("{code} {reason}"));
            Box::pin(async { Ok(()) })
        }
    }

    fn hi() -> Letter {
        Letter::Text("hi".into())
    }

    #[tokio::test]
    async fn letters_arrive_until_the_last_closes() {
        let (client, mailbox) = (Client { reads: true, ..Client::default() }, Mailbox::new());
        for letter in [hi(), Letter::Close { code: 4001, reason: "out".into() }, hi()] {
            assert!(mailbox.put(letter));
        }
        let ended = talk(&mut WebSocket::new(client.clone()), &mailbox, &Queue::new(ROOM)).await;
        assert_eq!((ended, client.heard()), (Ok(()), vec!["Text(\"hi\")".into(), "4001 out".into()]));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_loses_its_socket() {
        let (client, mailbox) = (Client::default(), Mailbox::new());
        let overflow = async {
            while mailbox.put(Letter::Binary(vec![0; LONGEST].into())) {
                tokio::task::yield_now().await;
            }
        };
        let mut socket = WebSocket::new(client.clone());
        let events = Queue::new(ROOM);
        let (ended, ()) = tokio::join!(talk(&mut socket, &mailbox, &events), overflow);
        assert_eq!((ended, client.heard()), (Err(Trouble::Slow), Vec::new()), "it can't be told");
    }

    #[tokio::test]
    async fn a_client_that_reads_too_slowly_is_told() {
        let (client, mailbox) = (Client::default(), Mailbox::new());
        while mailbox.put(Letter::Binary(vec![0; LONGEST].into())) {}
        let mut socket = WebSocket::new(client.clone());
        assert_eq!(talk(&mut socket, &mailbox, &Queue::new(ROOM)).await, Err(Trouble::Slow));
        assert!(client.heard().iter().all(|heard| heard == "1013 "), "{:?}", client.heard());
    }

    #[tokio::test]
    async fn no_more_is_taken_of_a_client_than_the_backend_takes_but_it_is_sent_to() {
        let spoken = Arc::<Mutex<usize>>::default();
        let client = Client { reads: true, spoken: Some(Arc::clone(&spoken)), ..Client::default() };
        let (mailbox, events) = (Mailbox::new(), Queue::new(ROOM));
        let mut socket = WebSocket::new(client.clone());
        let watch = async {
            let full = ROOM / (60 * 1024) + 1;
            while *spoken.lock().unwrap() < full {
                tokio::task::yield_now().await;
            }
            assert!(mailbox.put(hi()));
            while client.heard().is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(*spoken.lock().unwrap(), full);
            events.next().await;
            while *spoken.lock().unwrap() == full {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = talk(&mut socket, &mailbox, &events) => panic!("{ended:?}"),
            () = watch => {}
        }
    }
}
