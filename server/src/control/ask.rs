//! Questions to all workers at once, whose answers may not be late.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::worker::{Mail, Thread};

/// How long workers may take.  Whoever asks at the control port is to have an answer within 100 ms.
const PATIENCE: Duration = Duration::from_millis(80);

/// Asks all workers, and gives the answers of those that are in time, each in its worker's place.
pub(crate) async fn ask<T: Send + 'static>(
    workers: &[Thread],
    question: impl Fn(oneshot::Sender<T>) -> Mail,
) -> Vec<Option<T>> {
    let mut asking = JoinSet::new();
    for (index, worker) in workers.iter().enumerate() {
        let (answer, answered) = oneshot::channel();
        let (mailbox, mail) = (worker.mailbox(), question(answer));
        asking.spawn(async move {
            mailbox.send(mail).await.ok()?;
            Some((index, answered.await.ok()?))
        });
    }
    let mut answers: Vec<Option<T>> = workers.iter().map(|_| None).collect();
    let all = async {
        while let Some(answered) = asking.join_next().await {
            if let Ok(Some((index, answer))) = answered {
                answers[index] = Some(answer);
            }
        }
    };
    // What is late is left out.
    let _ = timeout(PATIENCE, all).await;
    answers
}
