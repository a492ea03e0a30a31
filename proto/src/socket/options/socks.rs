//! Options of SOCKS5 proxies.

use super::Options;
use crate::address::Endpoint;
use crate::connection::{ConnectVia, Connection, User};
use crate::kind::Kind;
use crate::socket::error::OptionsError;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

/// SOCKS5 proxy through which the socket connects to TCP endpoints. Includes the user name and the password for the
/// proxy, if it requires them.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) at: Endpoint,
    pub(crate) user: Option<User>,
    /// Creates the connection to a peer through the proxy.
    pub(crate) connect: ConnectVia,
}

impl Proxy {
    /// Returns the address of the proxy as `host:port`.
    pub(crate) fn address(&self) -> String {
        let endpoint = self.at.to_string();
        endpoint.strip_prefix("tcp://").unwrap_or(&endpoint).into()
    }

    /// Returns the endpoint to dial in order to connect to `peer`: the endpoint of the proxy, with the source address
    /// of `peer`. Returns `peer` itself if it is not a TCP endpoint.
    pub(crate) fn dial_endpoint(&self, peer: &Endpoint) -> Endpoint {
        match (peer, &self.at) {
            (Endpoint::Tcp { source, .. }, Endpoint::Tcp { host, port, .. }) => {
                Endpoint::Tcp { host: host.clone(), port: *port, source: *source, resource: None }
            }
            (other, _) => other.clone(),
        }
    }
}

/// # SOCKS5 proxies
impl<T: Kind> Options<T> {
    /// Connects to TCP endpoints through this SOCKS5 proxy, written as `host:port`. The proxy resolves the host names of
    /// the peers. Affects neither `bind` nor other transports.
    ///
    /// `connect_timeout` limits the time to connect to the proxy; `handshake_timeout` limits the time until the proxy
    /// has connected to the peer.
    ///
    /// Default: none. libzmq: `ZMQ_SOCKS_PROXY`, default none.
    ///
    /// # Errors
    /// [`OptionsError::Proxy`] if the text is not a host and a port, or is a wildcard.
    #[doc(alias = "ZMQ_SOCKS_PROXY")]
    pub fn socks_proxy(mut self, proxy: &str) -> Result<Self, OptionsError> {
        let at = format!("tcp://{proxy}").parse::<Endpoint>().ok().filter(|at| !at.is_wildcard());
        let at = at.ok_or_else(|| OptionsError::Proxy(without_login(proxy)))?;
        self.settings.proxy = Some(Arc::new(Proxy { at, user: None, connect: Connection::via_socks }));
        Ok(self)
    }

    /// Connects to TCP endpoints through a SOCKS5 proxy that requires a user and a password. The user has 1 to 255 bytes, the
    /// password at most 255; both are sent unencrypted. Otherwise the same as [`socks_proxy`](Self::socks_proxy).
    ///
    /// Default: none. libzmq: `ZMQ_SOCKS_PROXY` with `ZMQ_SOCKS_USERNAME` and `ZMQ_SOCKS_PASSWORD`, default none.
    ///
    /// # Errors
    /// [`OptionsError::Proxy`] if `proxy` is not a host and a port, or is a wildcard; [`OptionsError::ProxyUser`]
    /// if the user or the password has another length.
    #[doc(alias("ZMQ_SOCKS_USERNAME", "SOCKS_USERNAME", "ZMQ_SOCKS_PASSWORD", "SOCKS_PASSWORD"))]
    pub fn socks_proxy_as(
        self,
        proxy: &str,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, OptionsError> {
        let user = User { name: user.into(), password: password.into() };
        if user.name.is_empty() || user.name.len().max(user.password.len()) > 255 {
            return Err(OptionsError::ProxyUser);
        }
        let mut options = self.socks_proxy(proxy)?;
        if let Some(proxy) = &mut options.settings.proxy {
            Arc::make_mut(proxy).user = Some(user);
        }
        Ok(options)
    }
}

/// Returns the text with `..` in place of a user and a password before an `@`, to keep the password out of logs.
fn without_login(proxy: &str) -> String {
    proxy.rsplit_once('@').map_or_else(|| proxy.into(), |(_, host)| format!("..@{host}"))
}
