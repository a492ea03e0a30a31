//! sansmq on tokio: the sockets of [`sansmq_proto`], with IO by tokio's TCP and Unix streams.
//!
//! Works on the current-thread and on the multi-thread runtime; IO and time must be enabled. A socket must be created
//! inside the runtime that will run its tasks. After that, the socket can be used on any thread and any runtime.
//!
//! The tasks of a socket end with their runtime. Before that, wait for `Context::global().close(…)`, which sends the queued
//! messages of all sockets.
//!
//! On the current-thread runtime, messages are not passed between threads. For the lowest latency, run the messaging loop in a
//! spawned task instead of the future of `block_on`, because tokio wakes a spawned task at a lower cost.
//!
//! ```
//! use sansmq::tokio::{DealerSocket, RouterSocket};
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
//! let [client, body] = router.recv().await?.into_array().expect("a routing id and a body");
//! assert_eq!(body, "Hello ROUTER");
//! router.send((client, "ACK")).await?;
//! assert_eq!(dealer.recv().await?.body(), "ACK");
//! # Ok(())
//! # }
//! ```

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod net;

use sansmq_proto::kind::Any;
use sansmq_runtime::{Exclusive, Served, async_methods};

pub use sansmq_os::{BindListener, StdListener};
pub use sansmq_proto as proto;
pub use sansmq_runtime as runtime;

pub use net::{Tokio, TokioListener, TokioStream, TokioTimer};

/// Socket that runs on the tokio runtime in which it was created. Its methods are those of
/// [`Handle`](sansmq_runtime::Handle).
pub type Socket<T = Any> = Served<Tokio, T>;

/// Socket of one task of a tokio runtime, which its caller drives: it needs no lock and no task of its own.
///
/// ```
/// use sansmq::kind::{Rep, Req};
/// use sansmq::tokio::ExclusiveSocket;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut rep = ExclusiveSocket::<Rep>::new();
/// let endpoint = rep.bind("tcp://127.0.0.1:*").await?;
/// tokio::spawn(async move {
///     while let Ok(request) = rep.recv().await {
///         let _ = rep.send(request).await;
///     }
/// });
///
/// let mut req = ExclusiveSocket::<Req>::new();
/// req.connect(&endpoint)?;
/// req.send("Hello REP").await?;
/// assert_eq!(req.recv().await?.body(), "Hello REP");
/// # Ok(())
/// # }
/// ```
pub type ExclusiveSocket<T = Any> = Exclusive<T, Tokio>;

sansmq_runtime::socket_types! {
    runtime: Tokio,
    methods: async_methods,
    example: (
        "tokio",
        ".await",
        "",
        "# #[tokio::main(flavor = \"current_thread\")]\n# async fn main() -> Result<(), Box<dyn std::error::Error>> {",
        "# Ok(())\n# }"
    ),
}

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
