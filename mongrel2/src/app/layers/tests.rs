//! The founding text's examples, and what may go wrong in a layer.

use std::net::Ipv4Addr;

use ::http::header::CONTENT_LENGTH;
use ::http::uri::Scheme;
use ::http::{HeaderMap, Method, StatusCode};
use bytes::{Bytes, BytesMut};

use super::*;
use crate::app::response::recorded::Record;
use crate::app::{Body, BoxFuture, Head, Sink, WebSocket, WriteError};

fn request() -> Request {
    let (head, ()) = ::http::Request::new(()).into_parts();
    Request::new(head, Ipv4Addr::LOCALHOST.into(), Scheme::HTTP, false, Body::empty())
}

/// Calls an application as a host does, in a task of its own; gives what reached the wire.
async fn wire(app: impl Application) -> (Result<(), String>, Vec<String>) {
    let record = Record::default();
    let response = Response::new(&Method::GET, record.clone());
    let called = tokio::spawn(async move { app.call(request(), response).await }).await;
    let result = match called {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("panic".into()),
    };
    (result, record.lines())
}

async fn hello(_: Request, mut response: Response) -> Result<(), AppError> {
    response.write_head(200, [("content-type", "text/plain")]).await?;
    response.write("Hello ").await?;
    response.write("World\n").await?;
    Ok(response.finish().await?)
}

/// Keeps a whole body to tell its length in the head.
struct ContentLength;

impl Filter for ContentLength {
    async fn filter(&self, request: Request, response: Response, next: Next<'_>) -> Result<(), AppError> {
        next.call(request, response.wrap(|inner| Buffered { inner, head: None, body: BytesMut::new() })).await
    }
}

struct Buffered {
    inner: Response,
    head: Option<Head>,
    body: BytesMut,
}

impl Sink for Buffered {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        self.head = Some(head);
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        self.body.extend_from_slice(&bytes);
        Box::pin(async { Ok(()) })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async {
            let Head { status, mut headers } = self.head.take().ok_or(WriteError::NoHead)?;
            headers.insert(CONTENT_LENGTH, self.body.len().into());
            self.inner.write_head(status, headers).await?;
            self.inner.write(self.body.split().freeze()).await?;
            self.inner.finish().await
        })
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        Box::pin(self.inner.accept(headers))
    }
}

/// Notes when something is checked out and in.
struct Pool(Record);

impl Events for Pool {
    fn application_starts(&self) {
        self.0.note("ensure a connection");
    }

    fn request_starts(&self, request: &mut Request) -> Option<OnEnd> {
        let record = self.0.clone();
        record.note("-> check out");
        request.extensions_mut().insert(7u32);
        Some(Box::new(move |outcome| record.note(format!("<- check in {outcome:?}"))))
    }
}

fn whole(status: StatusCode, bytes: u64) -> String {
    format!("<- check in {:?}", Outcome { answer: Answer::Whole { status, bytes }, failure: None })
}

#[tokio::test]
async fn a_filter_that_tells_the_length() {
    let (result, lines) = wire(Layers::new().filter(ContentLength).around(hello)).await;
    result.unwrap();
    assert_eq!(lines, ["head 200 content-type=text/plain content-length=12", "write Hello World\\n", "finish"]);
}

#[tokio::test]
async fn checked_out_and_in() {
    let record = Record::default();
    let app = Arc::new(Layers::new().events(Pool(record.clone())).filter(ContentLength).around(hello));
    assert_eq!(record.lines(), ["ensure a connection"]);
    for _ in 0..2 {
        wire(Arc::clone(&app)).await.0.unwrap();
    }
    let each = ["-> check out".to_owned(), whole(StatusCode::OK, 12)];
    assert_eq!(record.lines()[1..], [&each[..], &each].concat());
}

#[tokio::test]
async fn what_was_checked_out_reaches_the_application() {
    let app = async |request: Request, mut response: Response| -> Result<(), AppError> {
        let number = request.extensions().get::<u32>().ok_or("there is none")?;
        Ok(response.send(200, (), number.to_string()).await?)
    };
    let (result, lines) = wire(Layers::new().events(Pool(Record::default())).around(app)).await;
    result.unwrap();
    assert_eq!(lines[1], "write 7");
}

#[tokio::test]
async fn every_end_is_told() {
    async fn ended(app: impl Application) -> String {
        let record = Record::default();
        let _ = wire(Layers::new().events(Pool(record.clone())).around(app)).await;
        let lines = record.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        lines[2].clone()
    }
    let told = |answer, failure: &str| {
        let failure = Some(failure).filter(|failure| !failure.is_empty()).map(str::to_owned);
        format!("<- check in {:?}", Outcome { answer, failure })
    };
    let cut = Answer::Cut { status: StatusCode::OK, bytes: 3 };

    let fails = async |_: Request, _: Response| -> Result<(), AppError> { Err("no".into()) };
    assert_eq!(ended(fails).await, told(Answer::Nothing, "no"));
    let panics = async |_: Request, mut response: Response| -> Result<(), AppError> {
        response.write_head(200, ()).await?;
        response.write("abc").await?;
        panic!("on purpose");
    };
    assert_eq!(ended(panics).await, told(cut, "it has panicked"));
    let forgets = async |_: Request, mut response: Response| -> Result<(), AppError> {
        response.write_head(200, ()).await?;
        Ok(response.write("abc").await?)
    };
    assert_eq!(ended(forgets).await, told(cut, ""));
}

#[tokio::test]
async fn a_request_ends_with_its_response_not_with_its_call() {
    let (record, (go, gone)) = (Record::default(), tokio::sync::oneshot::channel::<()>());
    let gone = std::sync::Mutex::new(Some(gone));
    let app = move |_: Request, mut response: Response| {
        let gone = gone.lock().unwrap().take();
        async move {
            tokio::spawn(async move {
                gone.unwrap().await.unwrap();
                response.send(200, (), "late").await.unwrap();
            });
            Ok(())
        }
    };
    let (result, lines) = wire(Layers::new().events(Pool(record.clone())).around(app)).await;
    assert_eq!((result, lines.len(), record.lines().len()), (Ok(()), 0, 2));
    go.send(()).unwrap();
    while record.lines().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(record.lines()[2], whole(StatusCode::OK, 4));
}

/// Fails before the application is called, or behind it.
enum Thrower {
    Errs,
    Panics,
    Behind,
}

impl Filter for Thrower {
    async fn filter(&self, request: Request, response: Response, next: Next<'_>) -> Result<(), AppError> {
        match self {
            Self::Errs => Err("thrown".into()),
            Self::Panics => panic!("on purpose"),
            Self::Behind => {
                next.call(request, response).await?;
                Err("thrown behind".into())
            }
        }
    }
}

#[tokio::test]
async fn a_filter_that_throws() {
    for (thrower, expected, lines) in
        [(Thrower::Errs, "thrown", 0), (Thrower::Panics, "panic", 0), (Thrower::Behind, "thrown behind", 4)]
    {
        let record = Record::default();
        let (result, wire) = wire(Layers::new().events(Pool(record.clone())).filter(thrower).around(hello)).await;
        assert_eq!((result, wire.len()), (Err(expected.to_owned()), lines));
        assert_eq!(record.lines().len(), 3, "the end is told");
    }
}

/// Panics at the start or at the end of each request.
struct Explosive {
    at_start: bool,
}

impl Events for Explosive {
    fn request_starts(&self, _: &mut Request) -> Option<OnEnd> {
        assert!(!self.at_start, "on purpose");
        Some(Box::new(|_| panic!("on purpose")))
    }
}

#[tokio::test]
async fn events_that_panic_harm_nobody() {
    for at_start in [true, false] {
        let record = Record::default();
        let layers = Layers::new().events(Pool(record.clone())).events(Explosive { at_start });
        let (result, lines) = wire(layers.around(hello)).await;
        assert_eq!((result, lines.len()), (Ok(()), 4));
        assert_eq!(record.lines().last(), Some(&whole(StatusCode::OK, 12)));
        // In the middle of another panic, too.
        let panics = async |_: Request, _: Response| -> Result<(), AppError> { panic!("on purpose") };
        assert_eq!(wire(Layers::new().events(Explosive { at_start }).around(panics)).await.0, Err("panic".into()));
    }
}

#[tokio::test]
async fn layers_around_layers() {
    let inner = Layers::new().filter(ContentLength).around(hello);
    let record = Record::default();
    let (result, lines) = wire(Layers::new().events(Pool(record.clone())).around(inner)).await;
    assert_eq!((result, lines.len()), (Ok(()), 3));
    assert_eq!(record.lines()[2], whole(StatusCode::OK, 12));
}
