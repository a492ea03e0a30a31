//! Addresses as values: [`Endpoint`], [`Resource`], [`Route`], and the options of the operating system's sockets
//! ([`TransportConfig`]). Resolves no name and opens no socket.

mod endpoint;
mod error;
mod resource;
mod route;
mod transport;

pub use endpoint::{Endpoint, Host, IpcName, Source};
pub use error::{NetworkError, ParseEndpointError};
pub use resource::Resource;
pub use route::Route;
pub use transport::{Keepalive, KeepaliveConfig, OutOfRange, TransportConfig};
