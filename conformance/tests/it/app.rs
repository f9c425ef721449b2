//! Hosts of applications in this process: ours keeps all promises, and each fault of another fails the cases about it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use conformance::app::{Host, Life, Place, cases, sample};
use conformance::check::{Problem, Verdict};
use conformance::client::ask;
use conformance::report::Outcome;
use http::{HeaderMap, StatusCode};
use mongrel2::app::layers::{Filter, Layers, Next};
use mongrel2::app::{
    self, AppError, Application, BoxFuture, Duplex, Head, Message, Request, Response, Sink, SocketError, WebSocket,
    WriteError,
};
use testkit::{free_address, wait};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

#[test]
fn our_host_keeps_all_promises() {
    let outcomes = outcomes(&alone(sample), "");
    let others: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome != Outcome::Passed).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(outcomes.len() >= 100, "there were {}", outcomes.len());
}

#[test]
fn the_manual_has_the_contract_of_the_sample() {
    let sample = include_str!("../../src/app/sample/mod.rs");
    let rows: Vec<&str> = sample.lines().filter_map(|line| line.strip_prefix("//! | ")).collect();
    assert!(rows.len() > 40, "{rows:#?}");
    let manual: Vec<&str> =
        include_str!("../../../docs/manual.md").lines().filter_map(|line| line.strip_prefix("| ")).collect();
    for row in rows {
        assert!(manual.contains(&row), "the manual lacks this, as it is: | {row}");
    }
}

#[test]
fn our_host_tells_clients_no_more_than_it_has_to() {
    let host = alone(sample);
    let answer = ask(host.address, host.patience, "GET /error HTTP/1.1", "", "").unwrap();
    answer.expect(500, "Internal Server Error\n").unwrap();
}

#[test]
fn a_host_that_nobody_stops() {
    let host = Host { life: None, ..alone(sample) };
    let outcomes = outcomes(&host, "stop/");
    assert_eq!(outcomes.len(), 5);
    assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Skipped(_))), "{outcomes:#?}");
}

#[test]
fn an_application_that_cannot_do_everything() {
    let app = async |request: Request, mut response: Response| -> Result<(), AppError> {
        match request.uri().path() {
            "/hello" => Ok(response.send(200, [("content-type", "text/plain")], "Hello\n").await?),
            _ => Ok(response.send(404, (), "").await?),
        }
    };
    let (passed, others): (Vec<_>, Vec<_>) =
        outcomes(&alone(move || app), "").into_iter().partition(|(_, outcome)| *outcome == Outcome::Passed);
    let passed: Vec<&str> = passed.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "answers/hello",
        "answers/head",
        "answers/nowhere",
        "connections/http-1.0",
        "connections/http-1.0-kept",
        "connections/body-unread",
        "stop/idle",
    ];
    assert_eq!(passed, expected);
    for (name, outcome) in others {
        let Outcome::Skipped(why) = outcome else { panic!("{name}: {outcome:?}") };
        assert!(why.starts_with("the application has no `/"), "{name}: {why}");
    }
}

#[test]
fn a_wrong_status() {
    fails(Fault::Status, &["answers/none", "misuse/body"]);
}

#[test]
fn a_cut_answer_that_looks_whole() {
    fails(Fault::Whole, &["cut/error-http-1.0", "cut/error-http-1.1", "cut/later-http-1.0", "cut/later-http-1.1"]);
}

#[test]
fn a_websocket_that_is_closed_with_another_code() {
    fails(Fault::Code, &["events/websocket", "websocket/closed"]);
}

/// That exactly these cases fail.
fn fails(fault: Fault, expected: &[&str]) {
    let host = alone(move || Layers::new().filter(fault).around(sample()));
    let mut failed = Vec::new();
    for (name, outcome) in outcomes(&host, "") {
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(_) => failed.push(name),
            Outcome::Skipped(why) => panic!("{name} was skipped: {why}"),
        }
    }
    failed.sort();
    assert_eq!(failed, expected);
}

fn outcomes(host: &Host, only: &str) -> Vec<(String, Outcome)> {
    let mut cases = cases(host.place);
    cases.retain(|case| case.name.contains(only));
    let tried = cases.iter().map(|case| case.run(host));
    let told = tried.inspect(|row| eprintln!("{} ({:?}): {:?}", row.name, row.took, row.outcome));
    told.map(|row| (row.name, row.outcome)).collect()
}

fn alone<A: Application>(app: impl Fn() -> A + Send + Sync + 'static) -> Host {
    let address = free_address();
    let alone = Alone { address, app, running: Mutex::default() };
    alone.restart(Duration::from_secs(1)).unwrap();
    Host { address, patience: wait::DEADLINE, place: Place::Alone, life: Some(Box::new(alone)) }
}

/// Our host that stands alone, with an application that is made for each start.
struct Alone<F> {
    address: SocketAddr,
    app: F,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<()>,
}

impl<A: Application, F: Fn() -> A + Send + Sync> Life for Alone<F> {
    fn restart(&self, grace: Duration) -> Verdict {
        self.stop()?;
        self.wait()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, app) = (self.address, (self.app)());
        let thread = std::thread::spawn(move || {
            Runtime::new().unwrap().block_on(async {
                let listener = TcpListener::bind(address).await.unwrap();
                // The sender is dropped to say so.
                let stopped = async { drop(stopped.await) };
                app::http::Host::on(listener).patience(grace).serve(app, stopped).await.unwrap();
            });
        });
        wait::port(address);
        *self.running.lock().unwrap() = Some(Running { stop: Some(stop), thread });
        Ok(())
    }

    fn stop(&self) -> Verdict {
        self.running.lock().unwrap().iter_mut().for_each(|running| running.stop = None);
        Ok(())
    }

    fn wait(&self) -> Verdict {
        let running = self.running.lock().unwrap().take();
        running.map_or(Ok(()), |running| running.thread.join().map_err(|_| Problem::wrong("it has panicked")))
    }
}

/// What is wrong with a host.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It answers 200 instead of 204.
    Status,
    /// It ends an answer properly whose application has failed.
    Whole,
    /// It closes WebSockets with another code than the application.
    Code,
}

impl Filter for Fault {
    async fn filter(&self, request: Request, response: Response, next: Next<'_>) -> Result<(), AppError> {
        let inner = Arc::new(tokio::sync::Mutex::new(response));
        let outer = Arc::clone(&inner);
        // What was taken from the host is given back wrapped; the host's own response stays here.
        let is_head = inner.lock().await.is_head();
        let method = if is_head { http::Method::HEAD } else { http::Method::GET };
        let result = next.call(request, Response::new(&method, Faulty { inner: outer, fault: *self })).await;
        if matches!(self, Self::Whole) && result.is_err() {
            // Where there is no head yet it stays with the host's 500.
            let _ = inner.lock().await.finish().await;
        }
        result
    }
}

/// A response with a fault.
struct Faulty {
    inner: Arc<tokio::sync::Mutex<Response>>,
    fault: Fault,
}

impl Sink for Faulty {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        let is_wrong = matches!(self.fault, Fault::Status) && head.status == StatusCode::NO_CONTENT;
        let status = if is_wrong { StatusCode::OK } else { head.status };
        Box::pin(async move { self.inner.lock().await.write_head(status, head.headers).await })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move { self.inner.lock().await.write(bytes).await })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move { self.inner.lock().await.finish().await })
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        let is_wrong = matches!(self.fault, Fault::Code);
        Box::pin(async move {
            let socket = self.inner.lock().await.accept(headers).await?;
            Ok(if is_wrong { WebSocket::new(Miscoded(socket)) } else { socket })
        })
    }
}

/// A WebSocket that closes with a code of its own.
struct Miscoded(WebSocket);

impl Duplex for Miscoded {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Message>, SocketError>> {
        Box::pin(self.0.recv())
    }

    fn send(&mut self, message: Message) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(self.0.send(message))
    }

    fn close(&mut self, _: u16, reason: String) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(async move { self.0.close(3000, &reason).await })
    }
}
