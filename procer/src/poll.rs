//! What may happen next, and waiting for it: epoll with names for what it watches.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::service::Now;

/// What has something to say.  Numbers are of services, clients and helpers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Signals to procer.
    Signals,
    /// Files that appear where PID files do.
    Files,
    /// Somebody wants to connect to the control socket.
    Listener,
    /// A client of the control socket.
    Client(u32),
    /// The end of a service's process.
    Main(u32),
    /// The output of a service.
    Output(u32),
    /// What a service says about itself.
    Notify(u32),
    /// A connection that asks a service whether it is ready.
    Probe(u32),
    /// The end of a script.
    Helper(u32),
}

/// What a source is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Something to read, as long as there is.
    Reading,
    /// Something to read that wasn't there before.
    News,
    /// Room to write.
    Writing,
    /// Both.
    Both,
}

/// All that is watched.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poll {
    /// Nothing yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(64) })
    }

    /// Watches one more.
    pub(crate) fn add(&self, fd: impl AsFd, source: Source, what: For) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(source.encode()), what.flags())?)
    }

    /// Watches it for something else.
    pub(crate) fn change(&self, fd: impl AsFd, source: Source, what: For) {
        // It fails only for what isn't watched, and then there is nothing to change.
        let _ = epoll::modify(&self.epoll, fd, EventData::new_u64(source.encode()), what.flags());
    }

    /// Doesn't watch it any more.  A descriptor has to be removed before it is closed: a child that waits at its gate has
    /// a copy.
    pub(crate) fn remove(&self, fd: impl AsFd) {
        // As above.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits until something happens, or until `due`, a time since boot.
    pub(crate) fn wait(&mut self, due: Option<Duration>, now: &Now) -> io::Result<Vec<Source>> {
        let timeout = due.map(|due| due.saturating_sub(now.time));
        let timeout = timeout.map(|left| rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.events.iter().filter_map(|event| Source::decode(event.data.u64())).collect())
    }
}

impl For {
    fn flags(self) -> EventFlags {
        match self {
            Self::Reading => EventFlags::IN,
            Self::News => EventFlags::IN | EventFlags::ET,
            Self::Writing => EventFlags::OUT,
            Self::Both => EventFlags::IN | EventFlags::OUT,
        }
    }
}

impl Source {
    fn encode(self) -> u64 {
        let (kind, number) = match self {
            Self::Signals => (0, 0),
            Self::Files => (1, 0),
            Self::Listener => (2, 0),
            Self::Client(number) => (3, number),
            Self::Main(number) => (4, number),
            Self::Output(number) => (5, number),
            Self::Notify(number) => (6, number),
            Self::Probe(number) => (7, number),
            Self::Helper(number) => (8, number),
        };
        kind << 32 | u64::from(number)
    }

    fn decode(code: u64) -> Option<Self> {
        let number = code as u32;
        Some(match code >> 32 {
            0 => Self::Signals,
            1 => Self::Files,
            2 => Self::Listener,
            3 => Self::Client(number),
            4 => Self::Main(number),
            5 => Self::Output(number),
            6 => Self::Notify(number),
            7 => Self::Probe(number),
            8 => Self::Helper(number),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_numbers_and_back() {
        for source in [Source::Signals, Source::Listener, Source::Client(7), Source::Helper(u32::MAX), Source::Main(0)]
        {
            assert_eq!(Source::decode(source.encode()), Some(source));
        }
        assert_eq!(Source::decode(u64::MAX), None);
    }
}
