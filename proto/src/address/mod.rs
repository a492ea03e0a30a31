//! Addresses and transport options as plain values: [`Endpoint`], [`Resource`], [`Route`], and [`TransportConfig`], the
//! options for sockets of the operating system. Resolves no name and opens no socket.

mod endpoint;
mod error;
mod resource;
mod route;
mod transport;
mod transport_option;

pub use endpoint::{Endpoint, Host, IpcName, Source};
pub use error::{NetworkError, ParseEndpointError};
pub use resource::Resource;
pub use route::{CONNECTION_ATTEMPT_DELAY, Route};
pub use transport::{Keepalive, KeepaliveConfig, OutOfRange, TransportConfig};
pub use transport_option::TransportOption;
