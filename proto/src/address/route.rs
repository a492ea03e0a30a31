//! [`Route`]: the local and the remote address of one connection attempt. Opens no connection.

use super::endpoint::{Endpoint, Source};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Local and remote address of one connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Local address. With `None` the operating system chooses an address and a port.
    pub from: Option<SocketAddr>,
    /// Address of the peer.
    pub to: SocketAddr,
}

impl Source {
    /// Returns the local address to which a connection from this source to the peer `to` must be bound. Returns `None`
    /// if the source and `to` have different IP versions.
    fn towards(self, to: SocketAddr) -> Option<SocketAddr> {
        let ip = match (self.ip, to) {
            (Some(ip), to) => (ip.is_ipv4() == to.is_ipv4()).then_some(ip)?,
            (None, SocketAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (None, SocketAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

impl Endpoint {
    /// Returns the local address that this endpoint sets for its connections, or `None` if it sets no local address.
    pub const fn source(&self) -> Option<Source> {
        match self {
            Self::Tcp { source, .. } => *source,
            Self::Ipc(_) | Self::Inproc(_) => None,
        }
    }

    /// Returns a route to each address in `addresses`, in the same order. Omits the addresses that have another IP
    /// version than the source of this endpoint.
    ///
    /// `addresses` are the addresses to which the caller has resolved the host of this endpoint.
    ///
    /// ```
    /// # use sansmq_proto::Endpoint;
    /// # use sansmq_proto::address::Route;
    /// let endpoint: Endpoint = "tcp://127.0.0.1:*;localhost:5555".parse()?;
    /// let [four, six] = ["127.0.0.1:5555".parse().unwrap(), "[::1]:5555".parse().unwrap()];
    /// let from = "127.0.0.1:0".parse().ok();
    /// assert_eq!(endpoint.routes([six, four]), [Route { from, to: four }]);
    /// # Ok::<(), sansmq_proto::address::ParseEndpointError>(())
    /// ```
    pub fn routes(&self, addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Route> {
        let route = |to| match self.source() {
            None => Some(Route { from: None, to }),
            Some(source) => source.towards(to).map(|from| Route { from: Some(from), to }),
        };
        addresses.into_iter().filter_map(route).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_without_ip_takes_ip_version_of_each_peer() {
        let endpoint: Endpoint = "tcp://*:7;host:80".parse().unwrap();
        let [four, six]: [SocketAddr; 2] = ["1.2.3.4:80".parse().unwrap(), "[::1]:80".parse().unwrap()];
        let from = |text: &str| Some(text.parse().unwrap());
        let routes = [Route { from: from("0.0.0.0:7"), to: four }, Route { from: from("[::]:7"), to: six }];
        assert_eq!(endpoint.routes([four, six]), routes);
    }

    #[test]
    fn routes_without_source_keep_all_addresses_in_order() {
        let endpoint: Endpoint = "tcp://host:80".parse().unwrap();
        let addresses: [SocketAddr; 2] = ["[::1]:80".parse().unwrap(), "1.2.3.4:80".parse().unwrap()];
        assert_eq!(endpoint.routes(addresses), addresses.map(|to| Route { from: None, to }));
    }
}
