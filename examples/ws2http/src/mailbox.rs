//! What waits to be sent to a socket: from its first moment on, so that nothing is lost before it is ready.
//!
//! Who reads too slowly for what is sent loses the socket: a backend that speaks to many waits for nobody.

use tokio::sync::Notify;

use crate::order::{LONGEST, Letter};
use crate::queue::{OVERHEAD, Queue};

/// How many bytes may wait: four messages of the longest kind, as several backends may speak at the same moment.
pub(crate) const ROOM: usize = 4 * (LONGEST + OVERHEAD);

/// The mailbox of a socket.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: Queue<Letter>,
    full: Notify,
}

impl Mailbox {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { letters: Queue::new(ROOM), full: Notify::new() }
    }

    /// Takes a letter; gives whether there was room.  If there was not, that is the end of the socket.
    pub(crate) fn put(&self, letter: Letter) -> bool {
        let size = letter.size();
        let had_room = self.letters.offer(letter, size);
        if !had_room {
            self.full.notify_one();
        }
        had_room
    }

    /// The next letter.  May be given up while it waits.
    pub(crate) async fn next(&self) -> Letter {
        self.letters.next().await.expect("it has no end while somebody waits for letters")
    }

    /// Waits until a letter finds no room.
    pub(crate) async fn overflow(&self) {
        self.full.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_full_when_a_letter_finds_no_room() {
        let mailbox = Mailbox::new();
        let letter = || Letter::Binary(vec![0; LONGEST].into());
        (0..4).for_each(|_| assert!(mailbox.put(letter())));
        tokio::select! { biased; () = mailbox.overflow() => panic!("there was room"), () = async {} => {} }
        assert!(!mailbox.put(letter()));
        mailbox.overflow().await;
        assert_eq!(mailbox.next().await, letter());
    }
}
