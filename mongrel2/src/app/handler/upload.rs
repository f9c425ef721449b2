//! Long bodies: as pieces that come for credits, and as a file that the server writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, oneshot};

use super::exchange::Exchange;
use crate::app::{BodyError, BoxFuture, Source};

/// How much of a file is read at once.
const CHUNK: usize = 64 * 1024;

/// A piece of a body that is streamed.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) is_last: bool,
}

/// A body that comes in pieces.  No more than a window of it is on its way or waits.
pub(super) struct Pieces {
    exchange: Arc<Exchange>,
    first: Option<Piece>,
    pieces: mpsc::UnboundedReceiver<Piece>,
    /// How many bytes may come that the server hasn't been told of.
    owed: u64,
    has_ended: bool,
}

impl Pieces {
    pub(super) fn new(
        exchange: Arc<Exchange>,
        first: Piece,
        pieces: mpsc::UnboundedReceiver<Piece>,
        window: u64,
    ) -> Self {
        Self { exchange, first: Some(first), pieces, owed: window, has_ended: false }
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.has_ended {
            return Ok(None);
        }
        let piece = match self.first.take() {
            Some(piece) => piece,
            None => self.await_piece().await?,
        };
        if piece.is_last {
            self.has_ended = true;
            self.exchange.uploaded();
        }
        Ok(Some(piece.bytes))
    }

    /// Whoever asks for more has used what there was.
    async fn await_piece(&mut self) -> Result<Piece, BodyError> {
        if self.owed > 0 {
            self.exchange.grant(std::mem::take(&mut self.owed));
        }
        match self.pieces.recv().await {
            Some(piece) => {
                self.owed = piece.bytes.len() as u64;
                Ok(piece)
            }
            None if self.exchange.link.is_gone() => Err(BodyError::Gone),
            None => Err(BodyError::Lost),
        }
    }
}

impl Source for Pieces {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(self.next_piece())
    }
}

/// A body that the server writes to a file, and that can be read once it is whole.
pub(super) struct FromFile {
    /// Kept so that a client that leaves is known to have left.
    _exchange: Arc<Exchange>,
    state: FileState,
}

enum FileState {
    /// The server says when the file is whole.
    Growing(oneshot::Receiver<Upload>),
    /// It is being opened.
    Opening(tokio::task::JoinHandle<io::Result<File>>),
    Reading(tokio::fs::File),
}

impl FromFile {
    pub(super) fn new(exchange: Arc<Exchange>, whole: oneshot::Receiver<Upload>) -> Self {
        Self { _exchange: exchange, state: FileState::Growing(whole) }
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            match &mut self.state {
                FileState::Growing(whole) => {
                    let upload = whole.await.map_err(|_| BodyError::Gone)?;
                    self.state = FileState::Opening(tokio::task::spawn_blocking(|| upload.open()));
                }
                FileState::Opening(opening) => {
                    let file = opening.await.map_err(|_| BodyError::Lost)??;
                    self.state = FileState::Reading(tokio::fs::File::from_std(file));
                }
                FileState::Reading(file) => {
                    let mut chunk = BytesMut::with_capacity(CHUNK);
                    file.read_buf(&mut chunk).await?;
                    return Ok(Some(chunk.freeze()).filter(|chunk| !chunk.is_empty()));
                }
            }
        }
    }
}

impl Source for FromFile {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(self.next_chunk())
    }
}

/// A file that a server has left for us; removed when it is opened or dropped.
#[derive(Debug)]
pub(super) struct Upload(PathBuf);

impl Upload {
    /// The file of that path below the server's chroot; `None` if it leads out of there.
    pub(super) fn below(root: &Path, path: &str) -> Option<Self> {
        let path = Path::new(path.trim_start_matches('/'));
        let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        (stays && path.file_name().is_some()).then(|| Self(root.join(path)))
    }

    /// Opens it; it has no name from then on.  What has been put in its place is not followed.
    fn open(self) -> io::Result<File> {
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        OpenOptions::new().read(true).custom_flags(nofollow).open(&self.0)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        let remove = move || {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!("cannot remove the upload `{}`: {error}", path.display());
            }
        };
        // A disk may be slow; this thread is others' too.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        for (path, expected) in [
            ("tmp/a", Some("/srv/tmp/a")),
            ("/tmp/a", Some("/srv/tmp/a")),
            ("//tmp/a", Some("/srv/tmp/a")),
            ("./a", Some("/srv/./a")),
            ("", None),
            ("/", None),
            ("../a", None),
            ("tmp/../../a", None),
            ("tmp/..", None),
        ] {
            let upload = Upload::below(Path::new("/srv"), path);
            assert_eq!(upload.as_ref().map(|upload| upload.0.to_str().unwrap()), expected, "{path}");
            upload.into_iter().for_each(std::mem::forget);
        }
    }

    #[tokio::test]
    async fn a_file_is_removed_whether_it_is_read_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "body").unwrap();
        let file = Upload::below(folder.path(), "a").unwrap().open().unwrap();
        testkit::wait::until("the file to go", || (!path.exists()).then_some(()));
        assert_eq!(io::read_to_string(file).unwrap(), "body");

        std::fs::write(&path, "body").unwrap();
        drop(Upload::below(folder.path(), "a"));
        testkit::wait::until("the file to go", || (!path.exists()).then_some(()));

        let target = folder.path().join("target");
        std::fs::write(&target, "secret").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(Upload::below(folder.path(), "a").unwrap().open().is_err());
        assert!(target.exists());
    }
}
