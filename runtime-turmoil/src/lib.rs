//! sansmq on [turmoil](https://docs.rs/turmoil), a simulation of hosts, their network and their clocks in one thread, which a
//! seed controls. For tests of programs that use other libraries on turmoil too. Programs that only use sockets are tested with
//! less effort, and with more kinds of faults, on the network of [`sansmq_proto::testing`].
//!
//! A socket must be created within the software of a host. Code that is tested takes a [`Handle`](sansmq_runtime::Handle), the
//! type of a socket that does not depend on the runtime:
//!
//! ```
//! use sansmq_proto::kind::{Rep, Req};
//! use sansmq_proto::{Options, RecvError};
//! use sansmq_runtime::Handle;
//! use sansmq_turmoil::Socket;
//!
//! async fn serve(rep: Handle<Rep>) -> Result<(), RecvError> {
//!     loop {
//!         let request = rep.recv().await?;
//!         rep.send(request).await.expect("a REP can reply to a request");
//!     }
//! }
//!
//! sansmq_turmoil::seed(7);
//! let mut sim = turmoil::Builder::new().rng_seed(7).build();
//! sim.host("server", || async {
//!     let rep = Socket::with_options(Options::<Rep>::new());
//!     rep.bind("tcp://*:5555").await?;
//!     Ok(serve(rep.into_handle()).await?)
//! });
//! sim.client("client", async {
//!     let req = Socket::with_options(Options::<Req>::new());
//!     req.connect("tcp://server:5555")?;
//!     req.send("Hello").await?;
//!     assert_eq!(req.recv().await?.body(), "Hello");
//!     Ok(())
//! });
//! sim.run().unwrap();
//! ```
//!
//! - **Addresses.** turmoil binds to all addresses of a host (`tcp://*:5555`, in a simulation with IPv6 `tcp://[::]:5555`) or to the
//!   loopback address. `connect` takes the name or the address of a host. `ipc` is not supported.
//! - **Partitions.** `turmoil::partition` drops bytes of open connections, and never sends them again after
//!   `turmoil::repair`, so such a connection is stuck. With heartbeats (`Options::heartbeat`) sockets detect it, and
//!   connect again. `turmoil::hold` and `turmoil::release` delay the bytes instead.
//! - **Contexts.** All hosts are in one process. Hosts that use `inproc` names, or share ports by a resource, need a
//!   [`Context`](sansmq_runtime::Context) each: create their sockets with `Socket::in_context`.
//! - **Randomness.** [`seed`] determines the random values of sockets, and `turmoil::Builder::rng_seed` those of the network.
//!   With both, each run is the same.

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod net;

use sansmq_proto::kind::Any;
use sansmq_runtime::Served;

pub use sansmq_proto as proto;
pub use sansmq_runtime as runtime;

pub use net::{Turmoil, TurmoilListener, TurmoilStream, TurmoilTimer, seed};

/// Socket that runs on the host of a turmoil simulation on which it was created. Its methods are those of
/// [`Handle`](sansmq_runtime::Handle).
pub type Socket<T = Any> = Served<Turmoil, T>;

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
