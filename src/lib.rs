#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "tokio"), doc = "ZeroMQ for Rust, without IO at its heart. See the README.")]

#[doc(inline)]
pub use sansmq_proto as proto;
pub use sansmq_proto::{
    BindError, Closed, ConnectError, ConnectionError, Endpoint, Envelope, Event, Frame, Handle, Message, Monitor,
    NetworkError, Options, OptionsError, RecvError, SendError, UnbindError, kind,
};

/// Sockets on the tokio runtime.
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use sansmq_tokio as tokio;
