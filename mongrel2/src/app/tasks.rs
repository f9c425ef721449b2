//! The calls of an application that are going on: each in a task of its own, so that none harms another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use super::{Application, Request, Response};

/// Calls that are going on.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// Calls the application.
    pub(super) fn call<A: Application>(&self, app: &Arc<A>, request: Request, response: Response) {
        let app = Arc::clone(app);
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            tell(ended);
        }
        tasks.spawn(async move {
            let what = format!("{} {}", request.method(), request.uri().path());
            if let Err(error) = app.call(request, response).await {
                tracing::error!("the application could not answer {what}: {error}");
            }
        });
    }

    /// Waits until all have ended; after `patience` they are given up.
    pub(super) async fn end(&self, patience: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                tell(ended);
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("{} requests were not answered in time", tasks.len());
            tasks.shutdown().await;
        }
    }
}

/// The panic itself has been told by the hook for panics.
fn tell(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("the application has panicked");
    }
}
