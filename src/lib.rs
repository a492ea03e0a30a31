//! ZeroMQ for Rust, without IO at its heart.

pub use sansmq_proto as proto;
pub use sansmq_proto::{
    BindError, Closed, ConnectError, ConnectionError, Endpoint, Envelope, Event, Frame, Message, Options, RecvError,
    SendError, UnbindError, kind,
};

/// Sockets on the tokio runtime.
#[cfg(feature = "tokio")]
pub use sansmq_tokio as tokio;
