//! A host that stops.
//!
//! Each case has a host of its own, which waits long for what ends, but where something never does.

use std::time::Duration;

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::{Host, hello};
use crate::case::Case;
use crate::check::{Problem, Verdict, equal, holds};
use crate::client::{Client, Socket};

/// How long a host waits for what never ends.
const SHORT: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case<Host>> {
    vec![
        stopping("idle", "A host that has nothing to do waits for nothing.", false, |run| {
            hello(run.host.address, run.host.patience)?;
            run.host.life()?.stop()
        }),
        stopping("answers", "What is being answered is answered to its end.", false, |run| {
            let mut client = uploading(run)?;
            stop(run)?;
            client.send("6\r\nsecond\r\n0\r\n\r\n")?;
            client.answer(false)?.expect(200, "11")?;
            client.is_closed()
        }),
        stopping("websockets", "WebSockets are closed with 1001.", false, |run| {
            let mut sockets = [run.socket()?, run.socket()?];
            run.host.life()?.stop()?;
            sockets.iter_mut().try_for_each(|socket| socket.is_closed_with(1001))?;
            Ok(())
        }),
        stopping("new", "New requests don't reach the application: 503, or no connection.", false, |run| {
            let mut client = uploading(run)?;
            stop(run)?;
            refused(run)?;
            client.send("0\r\n\r\n")?;
            client.answer(false)?.expect(200, "5")
        }),
        stopping("never", "What never ends is cut, and doesn't look whole.", true, |run| {
            let (mut client, _) = run.begin(&format!("GET {} HTTP/1.1", run.path("/late/never")))?;
            run.hears("never")?;
            run.host.life()?.stop()?;
            let (rest, _) = client.rest()?;
            holds(!rest.ends_with(b"0\r\n\r\n"), || "the answer looks whole".to_owned())
        }),
    ]
}

/// A case that leaves a host behind that stops; the next one finds another.
fn stopping(
    name: &str,
    promise: &str,
    is_long: bool,
    trial: impl Fn(&Run<'_>) -> Verdict + Send + Sync + 'static,
) -> Case<Host> {
    case(("stop", name), promise, MANUAL, move |run| {
        let life = run.host.life()?;
        life.restart(if is_long { SHORT } else { run.host.patience })?;
        let verdict = trial(run).and_then(|()| life.wait().map_err(|problem| problem.when("the host's end")));
        life.restart(SHORT)?;
        verdict
    })
}

/// Has the host stop, and waits until it does: a WebSocket hears of it.
fn stop(run: &Run<'_>) -> Verdict {
    let mut socket: Socket = run.socket()?;
    run.host.life()?.stop()?;
    socket.is_closed_with(1001)
}

/// A request that the application is at, in the middle of its body.
fn uploading(run: &Run<'_>) -> Verdict<Client> {
    let (mut client, path) = (run.client()?, run.path("/count"));
    let chunked = "Host: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    client.send(format!("POST {path} HTTP/1.1\r\n{chunked}"))?;
    run.hears("counting")?;
    Ok(client)
}

fn refused(run: &Run<'_>) -> Verdict {
    let answer = run.client().and_then(|mut client| {
        client.get("GET /hello")?;
        client.answer_or_end(false)
    });
    match answer {
        Ok(Some(answer)) => equal("the status", answer.status, 503),
        // Somebody else listens, and has to say why there is no answer.
        Ok(None) | Err(_) if run.host.place.is_behind() => Err(Problem::wrong("there is no 503")),
        Ok(None) | Err(_) => Ok(()),
    }
}
