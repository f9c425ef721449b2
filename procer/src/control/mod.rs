//! The control socket: who may connect, lines in and lines out.
//!
//! What a line means is left to `supervise`.  Nobody is waited for: a client that doesn't read what it asked for is
//! disconnected when too much of it waits.

pub mod protocol;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::process::geteuid;

use crate::folder;
use crate::poll::{For, Poll, Source};

/// The name of the socket in procer's own folder.
pub(crate) const SOCKET: &str = "control";

/// More than a request needs.
const MAX_LINE: usize = 256 << 10;
/// A status of thousands of services, and events of minutes.
const MAX_WAITING: usize = 4 << 20;
/// Who connects beyond that waits.
const MAX_CLIENTS: usize = 128;

/// The socket and who is connected.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    clients: BTreeMap<u32, Client>,
    next: u32,
    /// Who else than root and procer's own user may connect: the folder's owner.
    owner: u32,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    follows: bool,
}

impl Control {
    /// Binds the socket in procer's own folder, in place of one that a procer has left behind.
    pub(crate) fn bind(own: &OwnedFd, owner: u32) -> io::Result<Self> {
        folder::remove(own, SOCKET)?;
        let path = reach(own, SOCKET);
        let listener = UnixListener::bind(&path)?;
        // Who may talk is decided by who it is.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, clients: BTreeMap::new(), next: 0, owner })
    }

    /// Watches the socket.
    pub(crate) fn watch(&self, poll: &Poll) -> io::Result<()> {
        poll.add(&self.listener, Source::Listener, For::Reading)
    }

    /// Lets those in who knock.
    pub(crate) fn accept(&mut self, poll: &Poll) {
        while self.clients.len() < MAX_CLIENTS {
            let Ok((stream, _)) = self.listener.accept() else { return };
            // Whoever it was is gone again.
            let _ = self.welcome(stream, poll);
        }
        poll.remove(&self.listener);
    }

    fn welcome(&mut self, mut stream: UnixStream, poll: &Poll) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let uid = rustix::net::sockopt::socket_peercred(&stream)?.uid;
        if !(uid.is_root() || uid == geteuid() || uid.as_raw() == self.owner) {
            let reply = protocol::Reply::refused("only root and the owner of the folder may do that");
            return stream.write_all(format!("{}\n", json(&reply)).as_bytes());
        }
        poll.add(&stream, Source::Client(self.next), For::Reading)?;
        self.clients.insert(self.next, Client { stream, input: Vec::new(), output: Vec::new(), follows: false });
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    /// Takes what a client says: whole lines.
    pub(crate) fn read(&mut self, number: u32, poll: &Poll) -> Vec<String> {
        let Some(client) = self.clients.get_mut(&number) else { return Vec::new() };
        let mut buffer = [0; 4096];
        match client.stream.read(&mut buffer) {
            Ok(0) => self.close(number, poll),
            Ok(size) => {
                client.input.extend_from_slice(&buffer[..size]);
                let lines = lines(&mut client.input);
                if client.input.len() > MAX_LINE {
                    self.close(number, poll);
                }
                return lines;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.close(number, poll),
        }
        Vec::new()
    }

    /// Says a line to a client.
    pub(crate) fn say(&mut self, number: u32, value: &impl serde::Serialize, poll: &Poll) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.output.extend_from_slice(json(value).as_bytes());
            client.output.push(b'\n');
        }
        self.write(number, poll);
    }

    /// Says a line to all who follow.
    pub(crate) fn tell(&mut self, value: &impl serde::Serialize, poll: &Poll) {
        let followers: Vec<u32> = self.clients.iter().filter(|(_, client)| client.follows).map(|(n, _)| *n).collect();
        for number in followers {
            self.say(number, value, poll);
        }
    }

    /// Whether anybody follows.
    pub(crate) fn is_followed(&self) -> bool {
        self.clients.values().any(|client| client.follows)
    }

    /// From now on a client is told what happens.
    pub(crate) fn follow(&mut self, number: u32) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.follows = true;
        }
    }

    /// Sends what waits for a client.
    pub(crate) fn write(&mut self, number: u32, poll: &Poll) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        while !client.output.is_empty() {
            match client.stream.write(&client.output) {
                Ok(size) => drop(client.output.drain(..size)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return self.close(number, poll),
            }
        }
        if client.output.len() > MAX_WAITING {
            return self.close(number, poll);
        }
        let what = if client.output.is_empty() { For::Reading } else { For::Both };
        if client.output.is_empty() {
            client.output = Vec::new();
        }
        poll.change(&client.stream, Source::Client(number), what);
    }

    fn close(&mut self, number: u32, poll: &Poll) {
        let full = self.clients.len() == MAX_CLIENTS;
        if let Some(client) = self.clients.remove(&number) {
            poll.remove(&client.stream);
        }
        if full {
            // It was taken away when there was no room; what can't be added is there already.
            let _ = self.watch(poll);
        }
    }
}

/// A path to something in a folder that fits into a socket's address, however long the folder's own path is.
pub(crate) fn reach(folder: &OwnedFd, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers can be written as JSON")
}

fn lines(input: &mut Vec<u8>) -> Vec<String> {
    let Some(last) = input.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let whole: Vec<u8> = input.drain(..=last).collect();
    String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
}
