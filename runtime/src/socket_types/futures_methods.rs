//! Methods of the types of sockets that need the feature `futures`.

/// Methods of the types of [`socket_types!`](crate::socket_types!) that return a stream or a sink. Empty without the feature
/// `futures`: a `cfg` inside [`async_methods!`](crate::async_methods!) would refer to a feature of the package that calls it.
#[cfg(feature = "futures")]
#[doc(hidden)]
#[macro_export]
macro_rules! futures_methods {
    (sink $kind:ident) => {
        /// Returns a [`Sink`](sansmq_runtime::Outgoing) that sends messages with this socket. Needs the feature `futures`.
        pub fn sink(&self) -> $crate::Outgoing<$crate::proto::kind::$kind> {
            self.0.sink()
        }
    };
    (stream $kind:ident) => {
        /// Returns a [`Stream`](sansmq_runtime::Incoming) of the messages that this socket receives. It ends when the
        /// socket is closed. Needs the feature `futures`.
        pub fn stream(&self) -> $crate::Incoming<$crate::proto::kind::$kind> {
            self.0.stream()
        }
    };
}

#[cfg(not(feature = "futures"))]
#[doc(hidden)]
#[macro_export]
macro_rules! futures_methods {
    ($($method:tt)*) => {};
}
