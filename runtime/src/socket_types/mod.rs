//! [`socket_types!`](crate::socket_types!): the twenty types of sockets of a runtime, such as `DealerSocket`.
//!
//! The types of all runtimes are defined here once, so they have the same methods in the same order. Each type wraps the
//! generic socket of its runtime, `Socket<kind::Dealer>`, and has only the methods that its socket type supports.

mod async_methods;
mod contents;
mod examples;
mod futures_methods;
mod methods;

/// Defines the twenty types of sockets of a runtime, `ReqSocket` to `StreamSocket`, in the module of the caller. The
/// module must contain the runtime's `Socket<T>`, which is generic over the [kind](crate::proto::kind) of the socket.
///
/// - `runtime`: the type of the argument of `Socket::on`.
/// - `methods`: the name of a macro with the methods that wait or block. For async runtimes, this is
///   [`async_methods!`](crate::async_methods!).
/// - `example`: the texts in which the examples of this runtime differ: the module of the runtime in the facade,
///   the text behind a call that waits, the last argument of `wait_subscribed`, and the lines before and after the code.
///
/// ```text
/// /// Socket on my runtime.
/// pub type Socket<T = proto::kind::Any> = Served<MyRuntime, T>;
///
/// socket_types! {
///     runtime: MyRuntime,
///     methods: async_methods,
///     example: ("mine", ".await", "", "# my_runtime::block_on(async {", "# Ok(()) });"),
/// }
/// ```
#[macro_export]
macro_rules! socket_types {
    (runtime: $runtime:ty, methods: $methods:ident, example: $example:tt $(,)?) => {
        $crate::socket_types! { @type $runtime, $methods, $example, Req, ReqSocket, [send receive], "REQ", "ZMQ_REQ",
            /// REQ socket: sends a request and receives its reply, in strict alternation (RFC 28).
            ///
            /// Peers are REP and ROUTER sockets. Requests are sent to the peers in turn. A second `send` before the reply
            /// was received returns an error, unless the option `relaxed` is set; for several requests at the same time,
            /// use a [`DealerSocket`].
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Rep, RepSocket, [receive send], "REP", "ZMQ_REP",
            /// REP socket: receives a request and sends its reply, in strict alternation (RFC 28).
            ///
            /// Peers are REQ and DEALER sockets. To answer requests in another order, use a [`RouterSocket`]. A reply to a peer
            /// that has disconnected, or that has a full queue (`send_hwm`), is dropped.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Dealer, DealerSocket, [send receive], "DEALER", "ZMQ_DEALER",
            /// DEALER socket: sends to its peers in turn and receives from all of them, at any time (RFC 28).
            ///
            /// Peers are ROUTER, REP and DEALER sockets. Replies may arrive in any order, so a program that sends several
            /// requests puts an id into each. To a REP, send an empty first frame before the body, which the reply has
            /// too.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Router, RouterSocket, [receive send route], "ROUTER", "ZMQ_ROUTER",
            /// ROUTER socket: addresses each peer by its routing id, the first frame of every message (RFC 28).
            ///
            /// Peers are DEALER, REQ and ROUTER sockets. A received message begins with the routing id of its sender; to
            /// reply, send a message that begins with the same frame. Without the option `mandatory`, a message to an
            /// unknown routing id, or to a peer with a full queue (`send_hwm`), is dropped. With it, the first is an error,
            /// and `send` waits for room in the queue.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Pair, PairSocket, [send receive], "PAIR", "ZMQ_PAIR",
            /// PAIR socket: exchanges messages with exactly one peer, another PAIR (RFC 31).
            ///
            /// Further peers are refused while the first is connected.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Push, PushSocket, [send], "PUSH", "ZMQ_PUSH",
            /// PUSH socket: sends to its PULL peers in turn (RFC 30).
            ///
            /// Prefers the peers that receive: a peer with a full queue gets nothing while others have room.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Pull, PullSocket, [receive], "PULL", "ZMQ_PULL",
            /// PULL socket: receives from all of its PUSH peers (RFC 30).
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Pub, PubSocket, [send publish], "PUB", "ZMQ_PUB",
            /// PUB socket: sends each message to all peers that have subscribed to a prefix of the message (RFC 29).
            ///
            /// Peers are SUB and XSUB sockets. A message for a subscriber with a full queue is dropped by default. Messages
            /// before a subscription has arrived are not received by that subscriber; `wait_subscribed` waits for it.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Sub, SubSocket, [subscribe receive], "SUB", "ZMQ_SUB",
            /// SUB socket: receives the messages to which it has subscribed (RFC 29).
            ///
            /// Peers are PUB and XPUB sockets. Without a subscription, a SUB receives nothing; `subscribe("")` subscribes
            /// to every message.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, XPub, XPubSocket, [send receive publish subscribe], "XPUB", "ZMQ_XPUB",
            /// XPUB socket: a PUB that receives the subscriptions of its peers as messages (RFC 29).
            ///
            /// Such a message is a byte 1 (subscribe) or 0 (cancel), followed by the prefix. The application must call
            /// `recv`. With the option `manual`, `subscribe` subscribes for the peer of the last received message.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, XSub, XSubSocket, [subscribe receive send], "XSUB", "ZMQ_XSUB",
            /// XSUB socket: a SUB that can also subscribe by sending messages (RFC 29).
            ///
            /// A sent message with the first byte 1 or 0 adds or cancels a subscription to the rest of the message. Other
            /// messages are sent to the publishers, except to those with a full queue (`send_hwm`).
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Radio, RadioSocket, [send publish], "RADIO", "ZMQ_RADIO",
            /// RADIO socket: sends each message, `[group, body]`, to all peers that have joined the group (RFC 48).
            ///
            /// Peers are DISH sockets.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Dish, DishSocket, [join receive], "DISH", "ZMQ_DISH",
            /// DISH socket: receives the messages of the groups that it has joined (RFC 48).
            ///
            /// Peers are RADIO sockets. A received message is `[group, body]`.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Client, ClientSocket, [send receive], "CLIENT", "ZMQ_CLIENT",
            /// CLIENT socket: sends to its SERVER peers in turn and receives from all of them (RFC 41).
            ///
            /// Messages have one frame.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Server, ServerSocket, [receive send assign], "SERVER", "ZMQ_SERVER",
            /// SERVER socket: addresses its CLIENT peers by routing ids that it assigns (RFC 41).
            ///
            /// Sent and received messages are `[routing id, body]`. A routing id is a frame of four bytes.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Scatter, ScatterSocket, [send], "SCATTER", "ZMQ_SCATTER",
            /// SCATTER socket: sends to its GATHER peers in turn (RFC 49).
            ///
            /// Messages have one frame.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Gather, GatherSocket, [receive], "GATHER", "ZMQ_GATHER",
            /// GATHER socket: receives from all of its SCATTER peers (RFC 49).
            ///
            /// Messages have one frame.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Channel, ChannelSocket, [send receive], "CHANNEL", "ZMQ_CHANNEL",
            /// CHANNEL socket: exchanges messages with exactly one peer, another CHANNEL (RFC 52).
            ///
            /// Messages have one frame. Further peers are refused while the first is connected.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Peer, PeerSocket, [peer send receive assign], "PEER", "ZMQ_PEER",
            /// PEER socket: addresses other PEER sockets by routing ids that it assigns, and can send first (RFC 51).
            ///
            /// Sent and received messages are `[routing id, body]`. A routing id is a frame of four bytes.
        }
        $crate::socket_types! { @type $runtime, $methods, $example, Stream, StreamSocket, [send receive route], "STREAM", "ZMQ_STREAM",
            /// STREAM socket: exchanges bytes with peers that do not use ZMTP, over tcp and ipc (`ZMQ_STREAM`).
            ///
            /// Messages are `[routing id, bytes]`. A message with empty bytes is received when a peer connects or
            /// disconnects; to send one closes the connection.
        }
    };
    (
        @type $runtime:ty, $methods:ident, $example:tt, $kind:ident, $name:ident, [$($group:ident)*], $plain:literal, $zmq:literal,
        $(#[$doc:meta])*
    ) => {
        $(#[$doc])*
        ///
        #[doc = $crate::socket_contents!($kind [$($group)*])]
        ///
        /// ```
        #[doc = $crate::socket_example!($kind $example)]
        /// ```
        ///
        /// Cheap to clone: all clones are the same socket, and can be used at the same time. The socket closes in the
        /// background when the last clone is dropped. For functions that accept several types of sockets, a reference to this
        /// type dereferences to the generic [`Socket`]; for functions that accept several runtimes, `as_ref` returns the
        /// [`Handle`](sansmq_runtime::Handle).
        #[doc(alias($plain, $zmq))]
        #[derive(Clone)]
        pub struct $name(Socket<$crate::proto::kind::$kind>);

        impl $name {
            $methods! { create $kind }
            $methods! { attach }
            $($methods! { $group $kind })*
            $methods! { close }
            $methods! { observe }
            $crate::socket_methods! { options $kind }
            $methods! { detach }
            $methods! { peers }
            $methods! { place $kind $runtime }
            $methods! { convert $kind }
        }

        impl Default for $name {
            #[track_caller]
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<Socket<$crate::proto::kind::$kind>> for $name {
            fn from(socket: Socket<$crate::proto::kind::$kind>) -> Self {
                Self(socket)
            }
        }

        impl From<$name> for Socket<$crate::proto::kind::$kind> {
            fn from(socket: $name) -> Self {
                socket.0
            }
        }

        // Hidden, because the page of `Handle` would list the conversions of twenty types on three runtimes. The
        // documentation above and that of the method for the other direction name them.
        #[doc(hidden)]
        impl From<$crate::Handle<$crate::proto::kind::$kind>> for $name {
            fn from(handle: $crate::Handle<$crate::proto::kind::$kind>) -> Self {
                Self(handle.into())
            }
        }

        #[doc(hidden)]
        impl AsRef<$crate::Handle<$crate::proto::kind::$kind>> for $name {
            fn as_ref(&self) -> &$crate::Handle<$crate::proto::kind::$kind> {
                self.0.as_ref()
            }
        }

        // Hidden: the page would list every method of the generic socket again, with those of other types.
        #[doc(hidden)]
        impl core::ops::Deref for $name {
            type Target = Socket<$crate::proto::kind::$kind>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
