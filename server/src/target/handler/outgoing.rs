//! A large message on its way out: handed to ZeroMQ without being copied, and not lost when nobody takes it.
//!
//! The crate `zmq` can do one or the other; hence the calls of libzmq itself, nowhere but here.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use zmq_sys::{ZMQ_DONTWAIT, zmq_msg_close, zmq_msg_init_data, zmq_msg_send, zmq_msg_t};

/// A message whose bytes libzmq frees, from whatever thread.
pub(super) struct Outgoing(zmq_msg_t);

impl Outgoing {
    /// Takes the bytes.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, zmq::Error> {
        let owner = Box::new(bytes);
        let (data, size) = (owner.as_ptr().cast::<c_void>().cast_mut(), owner.len());
        let owner = Box::into_raw(owner).cast::<c_void>();
        let mut message = MaybeUninit::uninit();
        // SAFETY: `data` points to `size` bytes that belong to `owner`, which nobody else has and `release` frees.
        // libzmq doesn't write to them.  A call that succeeds initialises the message.
        unsafe {
            if zmq_msg_init_data(message.as_mut_ptr(), data, size, Some(release), owner) != 0 {
                release(data, owner);
                return Err(zmq::Error::ENOMEM);
            }
            Ok(Self(message.assume_init()))
        }
    }

    /// Sends the message, if somebody takes it at once; else it stays as it is.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub(super) fn send(&mut self, socket: &mut zmq::Socket) -> Result<bool, zmq::Error> {
        // SAFETY: The message is initialised from `new` on, and the socket is open as long as it is borrowed.  A call
        // that succeeds leaves an empty message behind, one that fails changes nothing.
        let sent = unsafe { zmq_msg_send(&raw mut self.0, socket.as_mut_ptr(), ZMQ_DONTWAIT as c_int) };
        if sent >= 0 {
            return Ok(true);
        }
        // SAFETY: It only reads the number of the last error of this thread.
        match zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() }) {
            zmq::Error::EAGAIN => Ok(false),
            error => Err(error),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // SAFETY: The message is initialised, sent or not, and not used any more.
        unsafe { zmq_msg_close(&raw mut self.0) };
    }
}

/// Frees the bytes of a message.
extern "C" fn release(_data: *mut c_void, owner: *mut c_void) {
    // SAFETY: `owner` is what `Box::into_raw` gave in `new`, and libzmq calls this once.
    drop(unsafe { Box::from_raw(owner.cast::<Vec<u8>>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_nobody_takes_is_sent_later() {
        let context = zmq::Context::new();
        let (mut push, pull) = (context.socket(zmq::PUSH).unwrap(), context.socket(zmq::PULL).unwrap());
        push.bind("inproc://outgoing").unwrap();
        let mut message = Outgoing::new(b"a message".repeat(1000)).unwrap();
        assert_eq!(message.send(&mut push), Ok(false));
        pull.connect("inproc://outgoing").unwrap();
        testkit::wait::until("the other end", || message.send(&mut push).unwrap().then_some(()));
        assert_eq!(pull.recv_bytes(0).unwrap(), b"a message".repeat(1000));
        drop(Outgoing::new(Vec::new()).unwrap());
    }
}
