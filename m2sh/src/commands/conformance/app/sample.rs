//! The sample, served by this program until it is stopped: alone on a port, or behind a server.

use std::time::Duration;

use conformance::app::sample;
use mongrel2::app::{handler, http};
use tokio::net::TcpListener;

use crate::args::Conformance;
use crate::commands::crew::signals;
use crate::error::{Error, say};
use crate::exit::Exit;

/// How long answers have when it is stopped, if nobody says it.
const GRACE: Duration = Duration::from_secs(30);

/// How the server's handler is called that this is.
const SENDER: &str = "conformance";

/// Serves it, at the addresses that are given.
///
/// # Errors
/// It can't be served there.
pub(in super::super) fn serve(args: &Conformance) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::cannot("start", error))?;
    let grace = args.grace.map_or(GRACE, |seconds| Duration::from_secs(seconds.into()));
    runtime.block_on(async {
        let mut signals = signals().map_err(|error| Error::cannot("listen for signals", error))?;
        let stop = async move {
            // Any of them.
            let _ = signals.recv().await;
        };
        match &args.serve[..] {
            [requests, replies] => behind(requests, replies, grace, stop).await,
            addresses => alone(addresses.first().map_or("", String::as_str), grace, stop).await,
        }
    })?;
    Ok(Exit::Success)
}

async fn alone(address: &str, grace: Duration, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let cannot = |error| {
        Error::cannot(format!("serve at `{address}`"), error)
            .hint("`-serve HOST:PORT` serves alone, `-serve SEND_SPEC RECV_SPEC` behind a server")
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    say(&format!("m2sh: the sample is served at http://{}/hello", listener.local_addr().map_err(cannot)?));
    http::Host::on(listener).patience(grace).serve(sample(), stop).await.map_err(cannot)
}

async fn behind(requests: &str, replies: &str, grace: Duration, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let cannot = |error| Error::cannot("serve behind a server", error);
    let host = handler::Host::connect(SENDER, requests, replies).map_err(cannot)?;
    say(&format!(
        "m2sh: the sample is served behind the server at {requests}; uploads are looked for below this folder"
    ));
    host.patience(grace).serve(sample(), stop).await.map_err(cannot)
}
