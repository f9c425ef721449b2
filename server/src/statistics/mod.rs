//! Statistics: what the server counts of its requests, written to the database and shown as metrics.
//!
//! Workers count for themselves (`counts`) at the `places` of a site.  The `collector`, on the main thread, takes the
//! counts from them: once a minute, at each reload, at each look at the metrics and at the end.  It adds them up for
//! `crate::metrics`, and gives them to the `ledger`, whose thread writes to the database.

mod collector;
mod counts;
mod exchange;
mod ledger;
mod places;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

pub(crate) use self::collector::{Collector, Counts, Queues, Reloads};
pub(crate) use self::counts::{BOUNDS, Count, Tally};
pub(crate) use self::exchange::{Begun, Exchange};
pub(crate) use self::ledger::Ledger;
pub(crate) use self::places::{Name, Place, Places};

use crate::error::StartError;
use crate::metrics::{self, Change, Endpoint};

/// How often statistics are written.
const PERIOD: Duration = Duration::from_secs(60);

/// The statistics of a running server, as the main thread sees them.
#[derive(Debug)]
pub(crate) struct Statistics {
    collector: Shared,
    endpoint: Endpoint,
}

/// The collector, for whoever looks at the metrics too.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Collector>>);

impl Statistics {
    /// Begins to write once a minute, and to show metrics at a new address; to be called in a runtime.
    pub(crate) fn begin(collector: Collector, metrics: Change) -> Self {
        let collector = Shared(Arc::new(Mutex::new(collector)));
        let mut endpoint = Endpoint::default();
        endpoint.take(metrics, &collector);
        tokio::spawn(settle_again_and_again(collector.clone()));
        Self { collector, endpoint }
    }

    /// Binds the address where metrics are to be shown, if it is another one.
    ///
    /// # Errors
    /// It can't be bound.
    pub(crate) fn bind(&self, address: Option<SocketAddr>) -> Result<Change, StartError> {
        metrics::bind(self.endpoint.address(), address)
    }

    /// Counts for a new site, and shows metrics at the new address.
    pub(crate) async fn serve(&mut self, places: &Arc<Places>, queues: Queues, metrics: Change) {
        self.endpoint.take(metrics, &self.collector);
        self.collector.0.lock().await.serve(places, queues).await;
    }

    /// Counts a reload.
    pub(crate) async fn reloaded(&self, went_well: bool) {
        self.collector.0.lock().await.reloaded(went_well);
    }

    /// Has the last values written, which takes no longer than a moment.
    pub(crate) async fn finish(&self) {
        self.collector.0.lock().await.finish().await;
    }
}

async fn settle_again_and_again(collector: Shared) {
    loop {
        tokio::time::sleep(PERIOD).await;
        collector.0.lock().await.settle().await;
    }
}

impl Shared {
    /// The page of metrics, as it is now.
    pub(crate) async fn page(&self) -> String {
        let mut collector = self.0.lock().await;
        collector.gather().await;
        metrics::page(&collector.facts())
    }
}
