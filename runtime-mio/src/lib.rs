//! sansmq on mio: [`sansmq_proto`]'s sockets with their octets carried by an event loop written by hand.
//!
//! | you have | use |
//! |---|---|
//! | plain threads | [`Socket`] and its aliases: blocking calls, with time-outs; [`poll`] for several sockets and descriptors; [`proxy()`] |
//! | a thread to give to an event loop | [`EventLoop`] |
//! | an event loop around `mio::Poll` of your own | [`Reactor`] |
//!
//! ```
//! use sansmq_mio::{DealerSocket, RouterSocket};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let router = RouterSocket::new();
//! let endpoint = router.bind("tcp://127.0.0.1:*")?;
//!
//! let dealer = DealerSocket::new();
//! dealer.connect(&endpoint)?;
//! dealer.send("Hello ROUTER")?;
//!
//! let [client, body] = router.recv()?.into_array().expect("a routing id and what the DEALER sent");
//! assert_eq!(body, "Hello ROUTER");
//! router.send((client, "ACK"))?;
//! assert_eq!(dealer.recv()?.body(), "ACK");
//! # Ok(())
//! # }
//! ```

mod event_loop;
mod inbox;
mod mio_runtime;
mod net;
mod park;
#[cfg(unix)]
mod poller;
mod proxy;
mod reactor;
mod socket;
mod sources;
mod stats;
mod sync;
mod timers;
mod topics;

use sansmq_proto::kind::{
    Channel, Client, Dealer, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server, Sub,
    XPub, XSub,
};

pub use sansmq_os::{BindListener, StdListener};
pub use sansmq_proto as proto;
pub use sansmq_runtime as runtime;

pub use event_loop::EventLoop;
#[cfg(unix)]
pub use poller::{PollItem, poll};
pub use proxy::proxy;
pub use reactor::{Reactor, Remote};
pub use socket::{Events, Socket};

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
/// Sends each message to all peers that subscribed to a prefix of it.
pub type PubSocket = Socket<Pub>;
/// Receives what it subscribed to.
pub type SubSocket = Socket<Sub>;
/// As PUB, and receives its peers' subscriptions as messages.
pub type XPubSocket = Socket<XPub>;
/// As SUB, and subscribes by sending messages.
pub type XSubSocket = Socket<XSub>;
/// Sends each message, `[group, body]`, to all peers that joined its group.
pub type RadioSocket = Socket<Radio>;
/// Receives the messages of the groups it joined.
pub type DishSocket = Socket<Dish>;
/// Sends to its SERVER peers in turn and receives from all, one frame each.
pub type ClientSocket = Socket<Client>;
/// Knows its CLIENT peers by routing ids that it chooses: messages are `[routing id, body]`.
pub type ServerSocket = Socket<Server>;
/// Sends to its GATHER peers in turn, one frame each.
pub type ScatterSocket = Socket<Scatter>;
/// Receives from all its SCATTER peers, one frame each.
pub type GatherSocket = Socket<Gather>;
/// Speaks with one single peer, one frame each.
pub type ChannelSocket = Socket<Channel>;
/// Knows other PEERs by routing ids that it chooses, and can name one before it has spoken.
pub type PeerSocket = Socket<Peer>;
/// Speaks with peers that know no ZMTP, each known by a routing id: messages are `[routing id, octets]`.
pub type StreamSocket = Socket<proto::kind::Stream>;
