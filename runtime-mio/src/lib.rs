//! sansmq on mio: the sockets of [`sansmq_proto`], with IO by an event loop on `mio::Poll`.
//!
//! | you have | use |
//! |---|---|
//! | plain threads | [`Socket`] and its aliases: blocking calls with timeouts; [`poll`] for several sockets and descriptors; [`proxy()`] |
//! | a thread for an event loop | [`EventLoop`] |
//! | your own event loop on `mio::Poll` | [`Reactor`] |
//!
//! ```
//! use sansmq::mio::{DealerSocket, RouterSocket};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let router = RouterSocket::new();
//! let endpoint = router.bind("tcp://127.0.0.1:*")?;
//!
//! let dealer = DealerSocket::new();
//! dealer.connect(&endpoint)?;
//! dealer.send("Hello ROUTER")?;
//!
//! let [client, body] = router.recv()?.into_array().expect("a routing id and a body");
//! assert_eq!(body, "Hello ROUTER");
//! router.send((client, "ACK"))?;
//! assert_eq!(dealer.recv()?.body(), "ACK");
//! # Ok(())
//! # }
//! ```

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod blocking_methods;
mod event_loop;
mod exclusive;
mod exit;
mod inbox;
mod mio_runtime;
mod net;
mod park;
mod parker;
mod poller;
mod proxy;
mod reactor;
mod slots;
mod socket;
mod sources;
mod stats;
mod sync;
mod timers;
mod topics;

use blocking_methods::blocking_methods;

pub use sansmq_os::{BindListener, StdListener};
pub use sansmq_proto as proto;
pub use sansmq_runtime as runtime;

pub use event_loop::EventLoop;
pub use exclusive::ExclusiveSocket;
pub use exit::close_context;
pub use park::{BlockOnError, block_on_timeout};
pub use poller::{PollItem, poll};
pub use proxy::{proxy, run_proxy, run_proxy_timeout};
pub use reactor::{Reactor, Remote};
pub use socket::{Events, Socket};

sansmq_runtime::socket_types! {
    runtime: Remote,
    methods: blocking_methods,
    example: (
        "mio",
        "",
        ", None",
        "# fn main() -> Result<(), Box<dyn std::error::Error>> {",
        "# Ok(())\n# }"
    ),
}

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
