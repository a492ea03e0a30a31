//! [`Route`]: the local and the remote address of one connection attempt. Opens no connection.

use super::endpoint::{Endpoint, Source};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

/// Time after which the connection attempt by the next [`Route`] begins while the attempt by the previous one has neither
/// succeeded nor failed: 250 ms (RFC 8305 section 5, "Connection Attempt Delay").
pub const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

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

    /// Returns a route to each address in `addresses`, in the order in which they must be tried: IPv6 and IPv4 alternate,
    /// beginning with the version of the first address, and the order within a version is kept (RFC 8305 section 4). Omits
    /// the addresses that have another IP version than the source of this endpoint.
    ///
    /// `addresses` are the addresses to which the caller has resolved the host of this endpoint.
    ///
    /// ```
    /// # use sansmq::Endpoint;
    /// # use sansmq::proto::address::Route;
    /// let endpoint: Endpoint = "tcp://127.0.0.1:*;localhost:5555".parse()?;
    /// let [four, six] = ["127.0.0.1:5555".parse().unwrap(), "[::1]:5555".parse().unwrap()];
    /// let from = "127.0.0.1:0".parse().ok();
    /// assert_eq!(endpoint.routes([six, four]), [Route { from, to: four }]);
    /// # Ok::<(), sansmq::ParseEndpointError>(())
    /// ```
    pub fn routes(&self, addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Route> {
        let route = |to| match self.source() {
            None => Some(Route { from: None, to }),
            Some(source) => source.towards(to).map(|from| Route { from: Some(from), to }),
        };
        let (mut first, mut second) = (VecDeque::<Route>::new(), VecDeque::new());
        for route in addresses.into_iter().filter_map(route) {
            let is_first = first.front().is_none_or(|other| other.to.is_ipv4() == route.to.is_ipv4());
            if is_first { &mut first } else { &mut second }.push_back(route);
        }
        let mut routes = Vec::new();
        while let Some(route) = first.pop_front().or_else(|| second.pop_front()) {
            routes.push(route);
            core::mem::swap(&mut first, &mut second);
        }
        routes
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
    fn routes_alternate_between_ip_versions() {
        let endpoint: Endpoint = "tcp://host:80".parse().unwrap();
        let [a, b, c, d]: [SocketAddr; 4] =
            ["[::1]:80", "[::2]:80", "[::3]:80", "1.2.3.4:80"].map(|at| at.parse().unwrap());
        let order = |addresses: &[SocketAddr]| -> Vec<_> {
            endpoint.routes(addresses.iter().copied()).into_iter().map(|route| route.to).collect()
        };
        assert_eq!(order(&[a, b, c, d]), [a, d, b, c]);
        assert_eq!(order(&[d, a, b, c]), [d, a, b, c]);
        assert_eq!(order(&[]), []);
    }

    #[test]
    fn routes_without_source_keep_all_addresses_in_order() {
        let endpoint: Endpoint = "tcp://host:80".parse().unwrap();
        let addresses: [SocketAddr; 2] = ["[::1]:80".parse().unwrap(), "1.2.3.4:80".parse().unwrap()];
        assert_eq!(endpoint.routes(addresses), addresses.map(|to| Route { from: None, to }));
    }
}
