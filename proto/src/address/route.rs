//! [`Route`]: one source and destination address for a connection attempt. Opens nothing.

use super::endpoint::{Endpoint, Source};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// One way to make a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it is to come from; `None`: wherever the system likes.
    pub from: Option<SocketAddr>,
    /// Where it is to go.
    pub to: SocketAddr,
}

impl Source {
    /// Where a connection to that address comes from; `None` if there is no way, one being of IPv4 and the other of IPv6.
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
    /// Where connections to this endpoint are to come from, if it says so.
    pub const fn source(&self) -> Option<Source> {
        match self {
            Self::Tcp { source, .. } => *source,
            Self::Ipc(_) | Self::Inproc(_) => None,
        }
    }

    /// The ways to addresses that this endpoint's host has. Those that cannot be reached from its source are left out.
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
    fn a_source_without_an_address_is_of_the_family_of_each_peer() {
        let endpoint: Endpoint = "tcp://*:7;host:80".parse().unwrap();
        let [four, six]: [SocketAddr; 2] = ["1.2.3.4:80".parse().unwrap(), "[::1]:80".parse().unwrap()];
        let from = |text: &str| Some(text.parse().unwrap());
        let routes = [Route { from: from("0.0.0.0:7"), to: four }, Route { from: from("[::]:7"), to: six }];
        assert_eq!(endpoint.routes([four, six]), routes);
    }

    #[test]
    fn without_a_source_every_address_is_tried_in_its_order() {
        let endpoint: Endpoint = "tcp://host:80".parse().unwrap();
        let addresses: [SocketAddr; 2] = ["[::1]:80".parse().unwrap(), "1.2.3.4:80".parse().unwrap()];
        assert_eq!(endpoint.routes(addresses), addresses.map(|to| Route { from: None, to }));
    }
}
