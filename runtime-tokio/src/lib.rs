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
//! let [client, body] = router.recv().await?.into_array().expect("a routing id and a body");
//! assert_eq!(body, "Hello ROUTER");
//! router.send((client, "ACK")).await?;
//! assert_eq!(dealer.recv().await?.body(), "ACK");
//! # Ok(())
//! # }
//! ```

mod net;

use sansmq_proto::kind::{
    Any, Channel, Client, Dealer, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server,
    Sub, XPub, XSub,
};
use sansmq_runtime::Served;

pub use sansmq_os::{BindListener, StdListener};
pub use sansmq_proto as proto;
pub use sansmq_runtime as runtime;

pub use net::{Tokio, TokioListener, TokioStream, TokioTimer};

/// Socket that runs on the tokio runtime in which it was created. Its methods are those of
/// [`Handle`](sansmq_runtime::Handle).
pub type Socket<T = Any> = Served<Tokio, T>;

/// REQ socket: sends a request and receives its reply, in strict alternation.
pub type ReqSocket = Socket<Req>;
/// REP socket: receives a request and sends its reply, in strict alternation.
pub type RepSocket = Socket<Rep>;
/// DEALER socket: sends to its peers in turn and receives from all of them, at any time.
pub type DealerSocket = Socket<Dealer>;
/// ROUTER socket: addresses each peer by its routing id, the first frame of every message.
pub type RouterSocket = Socket<Router>;
/// PAIR socket: exchanges messages with exactly one peer.
pub type PairSocket = Socket<Pair>;
/// PUSH socket: sends to its PULL peers in turn.
pub type PushSocket = Socket<Push>;
/// PULL socket: receives from all of its PUSH peers.
pub type PullSocket = Socket<Pull>;
/// PUB socket: sends each message to all peers that have subscribed to a prefix of the message.
pub type PubSocket = Socket<Pub>;
/// SUB socket: receives the messages to which it has subscribed.
pub type SubSocket = Socket<Sub>;
/// XPUB socket: a PUB that receives the subscriptions of its peers as messages.
pub type XPubSocket = Socket<XPub>;
/// XSUB socket: a SUB that subscribes by sending messages.
pub type XSubSocket = Socket<XSub>;
/// RADIO socket: sends each message, `[group, body]`, to all peers that have joined the group.
pub type RadioSocket = Socket<Radio>;
/// DISH socket: receives the messages of the groups that it has joined.
pub type DishSocket = Socket<Dish>;
/// CLIENT socket: sends to its SERVER peers in turn and receives from all of them. Messages have one frame.
pub type ClientSocket = Socket<Client>;
/// SERVER socket: addresses its CLIENT peers by routing ids that it assigns. Messages are `[routing id, body]`.
pub type ServerSocket = Socket<Server>;
/// SCATTER socket: sends to its GATHER peers in turn. Messages have one frame.
pub type ScatterSocket = Socket<Scatter>;
/// GATHER socket: receives from all of its SCATTER peers. Messages have one frame.
pub type GatherSocket = Socket<Gather>;
/// CHANNEL socket: exchanges messages with exactly one peer. Messages have one frame.
pub type ChannelSocket = Socket<Channel>;
/// PEER socket: addresses its peers by routing ids that it assigns, and can send before a peer has sent. Messages are
/// `[routing id, body]`.
pub type PeerSocket = Socket<Peer>;
/// STREAM socket: exchanges bytes with peers that do not use ZMTP. Messages are `[routing id, bytes]`.
pub type StreamSocket = Socket<proto::kind::Stream>;
