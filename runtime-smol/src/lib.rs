//! sansmq on smol: the sockets of [`sansmq_proto`], with IO by `async-io`.
//!
//! The application can await the futures of a socket on any executor: under `smol::block_on`, on an `Executor`, or on
//! another runtime, even tokio. The tasks of a socket need only the reactor of `async-io`. They run on a thread of this crate, which
//! the first socket starts, or on an executor of your choice with `Socket::on` and [`Smol::new`]. If that executor runs on the thread
//! that uses the socket, messages are not passed between threads. This reduces the round-trip time by nearly half.
//!
//! The tasks of a socket end with their executor, or with the process. Before that, wait for `Context::global().close(…)`,
//! which sends the queued messages of all sockets.
//!
//! ```
//! use sansmq::smol::{DealerSocket, RouterSocket};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
//!     let router = RouterSocket::new();
//!     let endpoint = router.bind("tcp://127.0.0.1:*").await?;
//!
//!     let dealer = DealerSocket::new();
//!     dealer.connect(&endpoint)?;
//!     dealer.send("Hello ROUTER").await?;
//!
//!     let [client, body] = router.recv().await?.into_array().expect("a routing id and a body");
//!     assert_eq!(body, "Hello ROUTER");
//!     router.send((client, "ACK")).await?;
//!     assert_eq!(dealer.recv().await?.body(), "ACK");
//!     Ok(())
//! })
//! # }
//! ```

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod background;
mod net;

use sansmq_proto::kind::Any;
use sansmq_runtime::{Served, async_methods};

pub use sansmq_os::{BindListener, StdListener};
pub use sansmq_proto as proto;
pub use sansmq_runtime as runtime;

pub use net::{Smol, SmolListener, SmolStream, SmolTimer, Task};

/// Socket that runs on the thread of this crate, or on the executor that is passed to `Socket::on`. Its methods are those of
/// [`Handle`](sansmq_runtime::Handle).
pub type Socket<T = Any> = Served<Smol, T>;

sansmq_runtime::socket_types! {
    runtime: Smol,
    methods: async_methods,
    example: (
        "smol",
        ".await",
        "",
        "# fn main() -> Result<(), Box<dyn std::error::Error>> {\n# smol::block_on(async {",
        "# Ok(())\n# })\n# }"
    ),
}

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
