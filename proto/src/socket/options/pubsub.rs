//! Options of publishers and subscribers.

use super::{Options, or_no_limit};
use crate::kind::{FiltersByPrefix, Kind, Publishes, XPub, XSub};
use crate::message::Frame;

/// Policy of a publisher for a message to a subscriber if the outgoing queue for this subscriber is full (`send_hwm`).
/// Other subscribers are affected only by [`Block`](Self::Block). Every dropped message is counted and reported by
/// [`Event::Dropped`](crate::Event::Dropped).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowSubscriber {
    /// Drops the new message for this subscriber, as libzmq does.
    #[default]
    DropNewest,
    /// Drops the oldest messages in the outgoing queue for this subscriber, to make room for the new message.
    DropOldest,
    /// Closes the connection of the subscriber with [`ConnectionError::TooSlow`](crate::ConnectionError::TooSlow), so
    /// that the subscriber notices that it missed messages.
    Disconnect,
    /// Sends the message to no subscriber until the outgoing queues of all matching subscribers have room: an
    /// asynchronous `send` waits, and [`Socket::send`](crate::Socket::send) returns
    /// [`SendError::Full`](crate::SendError::Full). Corresponds to `ZMQ_XPUB_NODROP`.
    #[doc(alias("ZMQ_XPUB_NODROP", "XPUB_NODROP"))]
    Block,
}

/// Options that only publishers (PUB, XPUB, RADIO) have.
#[derive(Clone, Debug)]
pub(crate) struct Publishing {
    pub(crate) slow: SlowSubscriber,
    pub(crate) max_subscriptions: usize,
    /// Maximum length, in bytes, of a prefix to which a peer subscribes. A peer that exceeds this length is
    /// disconnected.
    pub(crate) max_subscription_size: usize,
    pub(crate) invert: bool,
    pub(crate) welcome: Option<Frame>,
    pub(crate) verbosity: Verbosity,
    pub(crate) manual: Manual,
    pub(crate) only_first: bool,
}

/// Selection of the subscription changes that an XPUB delivers to its application. With `XPUB_MANUAL`, it delivers at
/// least every subscription and every cancellation of an existing subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// The application receives the first subscription to a prefix by any peer, and the cancellation by the last
    /// subscriber of the prefix. It does not receive the other changes.
    Changes,
    /// The application receives every subscription. It receives cancellations only if no peer is subscribed to the
    /// prefix any more: one for each received subscription.
    Subscriptions,
    /// The application receives every subscription and every cancellation, and after the last one further cancellations
    /// until there is one for each received subscription.
    All,
}

/// Party that decides which subscriptions of an XPUB's peers take effect: each peer itself, or the application
/// (`XPUB_MANUAL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manual {
    /// Each peer decides: its subscription takes effect when the XPUB receives the subscription.
    Off,
    /// The application decides by calls of `subscribe` and `unsubscribe`. A call applies to the peer that sent the
    /// subscription change which the application received last.
    On,
    /// The application decides as with [`On`](Self::On). In addition, the XPUB sends the next message after a call of
    /// `subscribe` only to the peer of that subscription (`XPUB_MANUAL_LAST_VALUE`).
    LastValue,
}

/// Options that only subscribers to prefixes (SUB, XSUB) have.
#[derive(Clone, Debug)]
pub(crate) struct Subscribing {
    pub(crate) invert: bool,
    pub(crate) only_first: bool,
}

impl Publishing {
    pub(super) const DEFAULT: Self = Self {
        slow: SlowSubscriber::DropNewest,
        max_subscriptions: 100_000,
        max_subscription_size: 64 << 10,
        invert: false,
        welcome: None,
        verbosity: Verbosity::Changes,
        manual: Manual::Off,
        only_first: true,
    };
}

impl Subscribing {
    pub(super) const DEFAULT: Self = Self { invert: false, only_first: true };
}

/// # Publishers and subscribers
impl<T: Kind> Options<T> {
    /// Sets the policy for a message to a subscriber if the outgoing queue for this subscriber is full (`send_hwm`).
    ///
    /// Default: [`SlowSubscriber::DropNewest`]. libzmq: `ZMQ_XPUB_NODROP` = 1 corresponds to [`SlowSubscriber::Block`],
    /// default 0 ([`SlowSubscriber::DropNewest`]).
    #[doc(alias("ZMQ_XPUB_NODROP", "XPUB_NODROP"))]
    #[must_use]
    pub const fn slow_subscriber(mut self, policy: SlowSubscriber) -> Self
    where
        T: Publishes,
    {
        self.settings.publishing.slow = policy;
        self
    }

    /// Sets the maximum number of subscriptions, or of joined groups, per peer. The total length of a peer's subscribed
    /// prefixes is limited too: to 256 bytes times this number. A peer that exceeds one of the two limits is
    /// disconnected with [`ConnectionError::TooManySubscriptions`](crate::ConnectionError::TooManySubscriptions). 0: no
    /// limit.
    ///
    /// Default: 100,000. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_subscriptions(mut self, subscriptions: usize) -> Self
    where
        T: Publishes,
    {
        self.settings.publishing.max_subscriptions = or_no_limit(subscriptions);
        self
    }

    /// Sets the maximum length of a prefix to which a peer subscribes, in bytes. The limit bounds the time for which
    /// one subscription locks the socket. A peer that subscribes to a longer prefix is disconnected with
    /// [`ConnectionError::SubscriptionTooLong`](crate::ConnectionError::SubscriptionTooLong), and the prefix is not
    /// stored. 0 accepts only the empty prefix. Has no effect on a RADIO: the name of a group has at most 255 bytes.
    ///
    /// Default: 64 KiB. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_subscription_size(mut self, bytes: usize) -> Self
    where
        T: Publishes,
    {
        self.settings.publishing.max_subscription_size = bytes;
        self
    }

    /// Inverts subscriptions: a publisher sends a message to the peers that have *no* matching subscription, and a
    /// subscriber receives the messages that match *none* of its subscriptions. Must be set at the publisher and at its
    /// subscribers.
    ///
    /// Default: off. libzmq: `ZMQ_INVERT_MATCHING`, default off.
    #[doc(alias = "ZMQ_INVERT_MATCHING")]
    #[must_use]
    pub const fn invert_matching(mut self, invert: bool) -> Self
    where
        T: FiltersByPrefix,
    {
        self.settings.publishing.invert = invert;
        self.settings.subscribing.invert = invert;
        self
    }
}

/// # XPUB
impl Options<XPub> {
    /// Delivers every subscription to the application, including a subscription to a prefix that another peer has
    /// already subscribed to. A call turns [`verboser`](Self::verboser) off.
    ///
    /// The cancellations of a prefix are delivered after its last subscriber has left: one for each subscription that
    /// was delivered, at most 10,001. libzmq delivers one, so that the XSUB of a proxy stays subscribed.
    ///
    /// Default: off. libzmq: `ZMQ_XPUB_VERBOSE`, default off.
    #[doc(alias("ZMQ_XPUB_VERBOSE", "XPUB_VERBOSE"))]
    #[must_use]
    pub const fn verbose(mut self, verbose: bool) -> Self {
        self.settings.publishing.verbosity = if verbose { Verbosity::Subscriptions } else { Verbosity::Changes };
        self
    }

    /// Delivers every subscription and every cancellation to the application. A call turns [`verbose`](Self::verbose) off.
    ///
    /// A subscriber sends one cancellation although it has subscribed several times. So the end of the last subscription
    /// to a prefix is delivered several times if necessary: in total, one cancellation for each subscription that was
    /// delivered. The cancellation of a prefix that the peer has not subscribed to is not delivered.
    ///
    /// Default: off. libzmq: `ZMQ_XPUB_VERBOSER`, default off.
    #[doc(alias("ZMQ_XPUB_VERBOSER", "XPUB_VERBOSER"))]
    #[must_use]
    pub const fn verboser(mut self, verboser: bool) -> Self {
        self.settings.publishing.verbosity = if verboser { Verbosity::All } else { Verbosity::Changes };
        self
    }

    /// Lets the application decide which subscriptions of its peers take effect. Every subscription change is delivered
    /// to the application. A call of `subscribe` or `unsubscribe` then applies to the peer that sent the change which the
    /// application received last.
    ///
    /// Default: off. libzmq: `ZMQ_XPUB_MANUAL`, default off.
    #[doc(alias("ZMQ_XPUB_MANUAL", "XPUB_MANUAL"))]
    #[must_use]
    pub const fn manual(mut self, manual: bool) -> Self {
        self.settings.publishing.manual = if manual { Manual::On } else { Manual::Off };
        self
    }

    /// Lets the application decide about subscriptions as with [`manual`](Self::manual). In addition, the next message
    /// after a call of `subscribe` is sent only to the peer of that subscription, if the message matches. Intended for last
    /// value caches. If the peer has disconnected, the message is sent to no peer.
    ///
    /// Default: off. libzmq: `ZMQ_XPUB_MANUAL_LAST_VALUE`, default off.
    #[doc(alias("ZMQ_XPUB_MANUAL_LAST_VALUE", "XPUB_MANUAL_LAST_VALUE"))]
    #[must_use]
    pub const fn manual_last_value(mut self, manual: bool) -> Self {
        self.settings.publishing.manual = if manual { Manual::LastValue } else { Manual::Off };
        self
    }

    /// Sends this message to every new subscriber before any other message, without regard to its subscriptions. A SUB
    /// peer delivers the message to its application only if one of the subscriptions of the SUB matches.
    ///
    /// Default: none. libzmq: `ZMQ_XPUB_WELCOME_MSG`, default none.
    #[doc(alias("ZMQ_XPUB_WELCOME_MSG", "XPUB_WELCOME_MSG"))]
    #[must_use]
    pub fn welcome_message(mut self, message: impl Into<Frame>) -> Self {
        self.settings.publishing.welcome = Some(message.into());
        self
    }

    /// Ignores subscription changes in a received message if the first frame of the message is not a change. If the first
    /// frame is a change, the socket checks every frame of the message.
    ///
    /// If off, the socket checks every frame of every message. Then a frame that happens to begin with the byte 0 or 1
    /// changes a subscription.
    ///
    /// Default: on. libzmq: `ZMQ_ONLY_FIRST_SUBSCRIBE`, default off.
    #[doc(alias = "ZMQ_ONLY_FIRST_SUBSCRIBE")]
    #[must_use]
    pub const fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.settings.publishing.only_first = only_first;
        self.settings.connection.only_first_subscribe = only_first;
        self
    }
}

/// # XSUB
impl Options<XSub> {
    /// Has no effect, and exists for programs that set the option of libzmq. This socket always sends only the last `unsubscribe` of a prefix: a publisher, of libzmq or of this crate, removes the subscription of this socket
    /// at the first cancellation that it receives, so that the other subscribers behind a proxy would receive nothing.
    ///
    /// An XPUB of this crate with [`verbose`](Options::verbose) or [`verboser`](Options::verboser) reports the last
    /// `unsubscribe` as often as it is necessary, so that both counts agree.
    ///
    /// Default: off. libzmq: `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`, default off.
    #[doc(alias("ZMQ_XSUB_VERBOSE_UNSUBSCRIBE", "XSUB_VERBOSE_UNSUBSCRIBE"))]
    #[must_use]
    pub const fn verbose_unsubscribe(self, _verbose: bool) -> Self {
        self
    }

    /// Ignores subscription changes in a message to be sent if the first frame of the message is not a change. If the
    /// first frame is a change, the socket checks every frame of the message. If off, the socket checks every frame of
    /// every message.
    ///
    /// Default: on. libzmq: `ZMQ_ONLY_FIRST_SUBSCRIBE`, default off.
    #[doc(alias = "ZMQ_ONLY_FIRST_SUBSCRIBE")]
    #[must_use]
    pub const fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.settings.subscribing.only_first = only_first;
        self
    }
}
