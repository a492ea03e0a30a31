//! The options of publishers and subscribers.

use super::Options;
use crate::kind::{FiltersByPrefix, Publishes, XPub, XSub};
use crate::message::Frame;
use crate::socket::error::OptionsError;

/// What becomes of a message for a subscriber that does not read, so that its high-water mark is reached. Other subscribers
/// notice nothing, but for [`Block`](Self::Block). Every message that is dropped is told by
/// [`Event::Dropped`](crate::Event::Dropped) and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowSubscriber {
    /// The message is dropped for this subscriber, as libzmq does.
    #[default]
    DropNewest,
    /// The oldest message that waits for this subscriber is dropped, so that it gets the latest news when it reads again.
    DropOldest,
    /// The subscriber's connection is closed with [`ConnectionError::TooSlow`](crate::ConnectionError::TooSlow), so that it
    /// learns that it has missed something.
    Disconnect,
    /// The publisher waits, or is told [`SendError::Full`](crate::SendError::Full), until every subscriber the message is
    /// for has room: `XPUB_NODROP`.
    Block,
}

/// What publishers can be told.
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

/// What an XPUB's application hears of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// The first one of a prefix, and when the last is gone.
    Changes,
    /// Every one, and when the last is gone.
    Subscriptions,
    /// Every one, and every one that is gone.
    All,
}

/// Who decides what an XPUB's peers receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manual {
    /// The peers.
    Off,
    /// The application.
    On,
    /// The application, and what it sends next is for the peer that asked last.
    LastValue,
}

/// What subscribers can be told.
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

impl<T: Publishes> Options<T> {
    /// What becomes of messages for a subscriber that does not read. Default [`SlowSubscriber::DropNewest`], as in libzmq;
    /// `XPUB_NODROP` is [`SlowSubscriber::Block`].
    #[must_use]
    pub const fn slow_subscriber(mut self, policy: SlowSubscriber) -> Self {
        self.settings.publishing.slow = policy;
        self
    }

    /// How many subscriptions, or groups, each peer may hold; together they may have 256 octets for each. A peer that asks
    /// for more loses its connection: [`ConnectionError::TooManySubscriptions`](crate::ConnectionError::TooManySubscriptions).
    /// Default 100 000; libzmq has no limit.
    ///
    /// # Errors
    /// [`OptionsError::Zero`].
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Result<Self, OptionsError> {
        if subscriptions == 0 {
            return Err(OptionsError::Zero("max_subscriptions"));
        }
        self.settings.publishing.max_subscriptions = subscriptions;
        Ok(self)
    }
}

impl<T: FiltersByPrefix> Options<T> {
    /// Messages go to, and are received by, those whose subscriptions they do *not* match: `INVERT_MATCHING`. Both sides
    /// must be told. Default off.
    #[must_use]
    pub const fn invert_matching(mut self, invert: bool) -> Self {
        self.settings.publishing.invert = invert;
        self.settings.subscribing.invert = invert;
        self
    }
}

impl Options<XPub> {
    /// The application hears of every subscription, also of those for a prefix that others hold already: `XPUB_VERBOSE`.
    /// Default off. Resets [`verboser`](Self::verboser).
    #[must_use]
    pub const fn verbose(mut self, verbose: bool) -> Self {
        self.settings.publishing.verbosity = if verbose { Verbosity::Subscriptions } else { Verbosity::Changes };
        self
    }

    /// The application hears of every subscription and of every cancel, also of one that ends nothing: `XPUB_VERBOSER`.
    /// Default off.
    #[must_use]
    pub const fn verboser(mut self, verboser: bool) -> Self {
        self.settings.publishing.verbosity = if verboser { Verbosity::All } else { Verbosity::Changes };
        self
    }

    /// The application decides what its peers receive: `XPUB_MANUAL`. It hears of every subscription, and answers with
    /// `subscribe` and `unsubscribe`, which concern the peer of the message received last. Default off.
    #[must_use]
    pub const fn manual(mut self, manual: bool) -> Self {
        self.settings.publishing.manual = if manual { Manual::On } else { Manual::Off };
        self
    }

    /// As [`manual`](Self::manual), and the message that is sent next after `subscribe` is for that peer alone, if it
    /// matches: `XPUB_MANUAL_LAST_VALUE`, for caches of last values. If the peer is gone, it is for nobody. Default off.
    #[must_use]
    pub const fn manual_last_value(mut self, manual: bool) -> Self {
        self.settings.publishing.manual = if manual { Manual::LastValue } else { Manual::Off };
        self
    }

    /// Sent to every new subscriber before anything else, whatever it subscribes to: `XPUB_WELCOME_MSG`. A SUB receives it
    /// only if it has a subscription that matches. Default none.
    #[must_use]
    pub fn welcome_message(mut self, message: impl Into<Frame>) -> Self {
        self.settings.publishing.welcome = Some(message.into());
        self
    }

    /// Whether only the first frame of a message may say that it is a subscription: `ONLY_FIRST_SUBSCRIBE`. If it is one,
    /// the others are looked at too. Default on; libzmq looks at every frame, so that a user's frame which happens to begin
    /// with an octet 0 or 1 subscribes to something.
    #[must_use]
    pub const fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.settings.publishing.only_first = only_first;
        self
    }
}

impl Options<XSub> {
    /// Peers hear of every `unsubscribe`, also while the prefix is still held, for an XPUB with
    /// [`verboser`](Options::verboser) to hear: `XSUB_VERBOSE_UNSUBSCRIBE`. Default off: they hear of the last one.
    ///
    /// A libzmq publisher ends a subscription with the first cancel that it hears.
    #[must_use]
    pub const fn verbose_unsubscribe(mut self, verbose: bool) -> Self {
        self.settings.subscribing.verbose_unsubscribe = verbose;
        self
    }

    /// Whether only the first frame of a message that is sent may say that it is a subscription: `ONLY_FIRST_SUBSCRIBE`. If
    /// it is one, the others are looked at too. Default on; libzmq looks at every frame.
    #[must_use]
    pub const fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.settings.subscribing.only_first = only_first;
        self
    }
}
