//! sansmq on tokio: [`sansmq_proto`]'s sockets with their octets carried by tokio's TCP streams.
//!
//! Works on the current-thread and on the multi-thread runtime; IO and time must be enabled. A socket is made inside the
//! runtime whose tasks are to serve it. It may be used from anywhere.
//!
//! On the current-thread runtime a message costs no thread hop. The last microsecond of latency is had by running the
//! messaging loop in a spawned task and not in the future given to `block_on`, which the runtime wakes in a costlier way.
//!
//! ```
//! use sansmq_tokio::{DealerSocket, RouterSocket};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let router = RouterSocket::new();
//! let endpoint = router.bind("tcp://127.0.0.1:*").await?;
//!
//! let dealer = DealerSocket::new();
//! dealer.connect(&endpoint)?;
//! dealer.send("Hello ROUTER").await?;
//!
//! let [client, body] = router.recv().await?.into_array().expect("a routing id and what the DEALER sent");
//! assert_eq!(body, "Hello ROUTER");
//! router.send((client, "ACK")).await?;
//! assert_eq!(dealer.recv().await?.body(), "ACK");
//! # Ok(())
//! # }
//! ```

mod net;

use core::fmt;
use core::ops::Deref;
use sansmq_proto::kind::{Any, Dealer, Kind, Pair, Pull, Push, Rep, Req, Router, Typed};
use sansmq_proto::{Handle, Options, launch};

/// A socket served by tasks of the tokio runtime it was made in. All that it can do is in [`Handle`].
pub struct Socket<T: Kind = Any>(Handle<T>);

/// Sends a request, receives the reply, and so on in turn.
pub type ReqSocket = Socket<Req>;
/// Receives a request, sends the reply, and so on in turn.
pub type RepSocket = Socket<Rep>;
/// Sends to its peers in turn and receives from all, at any time.
pub type DealerSocket = Socket<Dealer>;
/// Knows its peers by routing id: the first frame of every message.
pub type RouterSocket = Socket<Router>;
/// Speaks with one single peer.
pub type PairSocket = Socket<Pair>;
/// Sends to its PULL peers in turn.
pub type PushSocket = Socket<Push>;
/// Receives from all its PUSH peers.
pub type PullSocket = Socket<Pull>;

impl<T: Typed> Socket<T> {
    /// A socket with the default [`Options`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new() -> Self {
        Self::with(Options::new())
    }
}

impl<T: Typed> Default for Socket<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kind> Socket<T> {
    /// A socket with these options.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn with(options: Options<T>) -> Self {
        Self(launch(options, &net::Tokio::current()))
    }

    /// The same socket with its type forgotten, as [`Handle::erase`] does.
    pub fn erase(&self) -> Socket<Any> {
        Socket(self.0.erase())
    }

    /// The handle alone, which names no runtime.
    pub fn into_handle(self) -> Handle<T> {
        self.0
    }
}

impl<T: Kind> Deref for Socket<T> {
    type Target = Handle<T>;

    fn deref(&self) -> &Handle<T> {
        &self.0
    }
}

impl<T: Kind> Clone for Socket<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Kind> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
