//! Options of publishers and subscribers.

use super::Options;
use crate::kind::{FiltersByPrefix, Kind, Publishes, XPub, XSub};
use crate::message::Frame;
use crate::socket::error::OptionsError;

/// Policy of a publisher for messages to a slow subscriber, which has reached its send high-water mark. Other
/// subscribers are affected only by [`Block`](Self::Block). Every dropped message is reported by
/// [`Event::Dropped`](crate::Event::Dropped) and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowSubscriber {
    /// Drops the message for this subscriber, as libzmq does.
    #[default]
    DropNewest,
    /// Drops the oldest messages that wait for this subscriber, so that it receives the latest messages later.
    DropOldest,
    /// Closes the connection of the subscriber with [`ConnectionError::TooSlow`](crate::ConnectionError::TooSlow), so
    /// that it learns that it missed messages.
    Disconnect,
    /// Makes the publisher wait, or return [`SendError::Full`](crate::SendError::Full), until every subscriber of the
    /// message has room: `XPUB_NODROP`.
    Block,
}

/// Options of a publisher.
#[derive(Clone, Debug)]
pub(crate) struct Publishing {
    pub(crate) slow: SlowSubscriber,
    pub(crate) max_subscriptions: usize,
    pub(crate) invert: bool,
    pub(crate) welcome: Option<Frame>,
    pub(crate) verbosity: Verbosity,
    pub(crate) manual: Manual,
    pub(crate) only_first: bool,
}

/// Subscription changes that an XPUB delivers to its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// The first subscription and the last cancellation of a prefix.
    Changes,
    /// All subscriptions, and the last cancellation of a prefix.
    Subscriptions,
    /// All subscriptions and all cancellations.
    All,
}

/// Decision about the subscriptions of the peers of an XPUB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manual {
    /// Made by the peers.
    Off,
    /// Made by the application.
    On,
    /// Made by the application; the message that is sent after a subscription goes only to the peer of that
    /// subscription.
    LastValue,
}

/// Options of a subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Subscribing {
    pub(crate) invert: bool,
    pub(crate) verbose_unsubscribe: bool,
    pub(crate) only_first: bool,
}

impl Publishing {
    pub(super) const DEFAULT: Self = Self {
        slow: SlowSubscriber::DropNewest,
        max_subscriptions: 100_000,
        invert: false,
        welcome: None,
        verbosity: Verbosity::Changes,
        manual: Manual::Off,
        only_first: true,
    };
}

impl Subscribing {
    pub(super) const DEFAULT: Self = Self { invert: false, verbose_unsubscribe: false, only_first: true };
}

impl<T: Kind> Options<T> {
    /// Sets the policy for messages to slow subscribers. Default [`SlowSubscriber::DropNewest`], as in libzmq;
    /// `XPUB_NODROP` is [`SlowSubscriber::Block`].
    #[must_use]
    pub const fn slow_subscriber(mut self, policy: SlowSubscriber) -> Self
    where
        T: Publishes,
    {
        self.settings.publishing.slow = policy;
        self
    }

    /// Sets the maximum number of subscriptions or groups per peer. The prefixes of a peer may have 256 bytes on
    /// average. A peer that exceeds a limit is disconnected with
    /// [`ConnectionError::TooManySubscriptions`](crate::ConnectionError::TooManySubscriptions). Default 100 000; libzmq
    /// has no limit.
    ///
    /// # Errors
    /// [`OptionsError::Zero`].
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Result<Self, OptionsError>
    where
        T: Publishes,
    {
        if subscriptions == 0 {
            return Err(OptionsError::Zero("max_subscriptions"));
        }
        self.settings.publishing.max_subscriptions = subscriptions;
        Ok(self)
    }
}

impl<T: Kind> Options<T> {
    /// Sends messages to, and receives messages on, topics that match *no* subscription: `INVERT_MATCHING`. Must be set
    /// on both sides. Default off.
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

impl Options<XPub> {
    /// Delivers every subscription to the application, including those for a prefix that another peer has already
    /// subscribed to: `XPUB_VERBOSE`. Default off. Resets [`verboser`](Self::verboser).
    #[must_use]
    pub const fn verbose(mut self, verbose: bool) -> Self {
        self.settings.publishing.verbosity = if verbose { Verbosity::Subscriptions } else { Verbosity::Changes };
        self
    }

    /// Delivers every subscription and every cancellation to the application, including cancellations without a
    /// subscription: `XPUB_VERBOSER`. Default off. Resets [`verbose`](Self::verbose).
    #[must_use]
    pub const fn verboser(mut self, verboser: bool) -> Self {
        self.settings.publishing.verbosity = if verboser { Verbosity::All } else { Verbosity::Changes };
        self
    }

    /// Lets the application decide which subscriptions its peers get: `XPUB_MANUAL`. Every subscription change is
    /// delivered to the application, which calls `subscribe` and `unsubscribe` for the peer of the message received
    /// last. Default off.
    #[must_use]
    pub const fn manual(mut self, manual: bool) -> Self {
        self.settings.publishing.manual = if manual { Manual::On } else { Manual::Off };
        self
    }

    /// Works as [`manual`](Self::manual), and sends the next message after `subscribe` only to the peer of that
    /// subscription, if the message matches: `XPUB_MANUAL_LAST_VALUE`, for last value caches. If the peer has
    /// disconnected, the message is sent to no peer. Default off.
    #[must_use]
    pub const fn manual_last_value(mut self, manual: bool) -> Self {
        self.settings.publishing.manual = if manual { Manual::LastValue } else { Manual::Off };
        self
    }

    /// Sends this message to every new subscriber before any other message, whatever it subscribes to:
    /// `XPUB_WELCOME_MSG`. A SUB delivers it only if one of its subscriptions matches. Default none.
    #[must_use]
    pub fn welcome_message(mut self, message: impl Into<Frame>) -> Self {
        self.settings.publishing.welcome = Some(message.into());
        self
    }

    /// Treats a message as a subscription change only if its first frame is one: `ONLY_FIRST_SUBSCRIBE`. If so, the
    /// other frames are checked too. Default on; libzmq checks every frame of every message, so that a frame which
    /// happens to begin with the byte 0 or 1 changes a subscription.
    #[must_use]
    pub const fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.settings.publishing.only_first = only_first;
        self
    }
}

impl Options<XSub> {
    /// Sends every `unsubscribe` to the peers, even while the prefix is still subscribed to, for an XPUB with
    /// [`verboser`](Options::verboser): `XSUB_VERBOSE_UNSUBSCRIBE`. Default off: only the last one is sent.
    ///
    /// A libzmq publisher removes a subscription at the first cancellation.
    #[must_use]
    pub const fn verbose_unsubscribe(mut self, verbose: bool) -> Self {
        self.settings.subscribing.verbose_unsubscribe = verbose;
        self
    }

    /// Treats a message to be sent as a subscription change only if its first frame is one: `ONLY_FIRST_SUBSCRIBE`. If
    /// so, the other frames are checked too. Default on; libzmq checks every frame.
    #[must_use]
    pub const fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.settings.subscribing.only_first = only_first;
        self
    }
}
