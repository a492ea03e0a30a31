//! Addresses of the network interfaces of this machine.

use core::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Returns the addresses of the network interface with this name, each with `port`. IPv4 addresses are first, and
/// link-local IPv6 addresses last. Returns an empty list if no interface has this name.
pub(crate) fn addresses(name: &str, port: u16) -> Vec<SocketAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let named = interfaces.filter(|interface| interface.interface_name == name);
    let mut addresses: Vec<_> = named
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
            v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
        })
        .collect();
    addresses.sort_by_key(|address: &SocketAddr| match address.ip() {
        IpAddr::V4(_) => 0,
        IpAddr::V6(ip) => 1 + u8::from(ip.is_unicast_link_local()),
    });
    for address in &mut addresses {
        address.set_port(port);
    }
    addresses
}
