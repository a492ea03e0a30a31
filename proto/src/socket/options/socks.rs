//! The options for SOCKS5 proxies.

use super::Options;
use crate::address::Endpoint;
use crate::connection::User;
use crate::kind::Kind;
use crate::socket::error::OptionsError;
use alloc::format;
use alloc::string::String;

/// How peers are reached through a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) at: Endpoint,
    pub(crate) user: Option<User>,
}

impl Proxy {
    /// Where to dial so as to get there: to the proxy, from where the peer was to be dialled from.
    pub(crate) fn on_the_way_to(&self, peer: &Endpoint) -> Endpoint {
        match (peer, &self.at) {
            (Endpoint::Tcp { source, .. }, Endpoint::Tcp { host, port, .. }) => {
                Endpoint::Tcp { host: host.clone(), port: *port, source: *source, resource: None }
            }
            (other, _) => other.clone(),
        }
    }
}

impl<T: Kind> Options<T> {
    /// Connects to TCP endpoints through this SOCKS5 proxy, written as `host:port`: `SOCKS_PROXY`. Host names are looked up
    /// by the proxy. What `bind` does and other transports do is not concerned. Default none.
    ///
    /// `connect_timeout` limits how long the proxy may take to be reached, and `handshake_timeout` how long it may take to
    /// put us through.
    ///
    /// # Errors
    /// [`OptionsError::Proxy`]: it is no host and port, or a wildcard.
    pub fn socks_proxy(mut self, proxy: &str) -> Result<Self, OptionsError> {
        let at = format!("tcp://{proxy}").parse::<Endpoint>().ok().filter(|at| !at.is_wildcard());
        let at = at.ok_or_else(|| OptionsError::Proxy(proxy.into()))?;
        self.settings.proxy = Some(Proxy { at, user: None });
        Ok(self)
    }

    /// As [`socks_proxy`](Self::socks_proxy), for a proxy that asks who we are: `SOCKS_USERNAME` and `SOCKS_PASSWORD`. They
    /// travel in clear.
    ///
    /// # Errors
    /// [`OptionsError::Proxy`]; [`OptionsError::ProxyUser`] unless both have 1 to 255 octets.
    pub fn socks_proxy_as(
        self,
        proxy: &str,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, OptionsError> {
        let user = User { name: user.into(), password: password.into() };
        if ![&user.name, &user.password].into_iter().all(|text| (1..=255).contains(&text.len())) {
            return Err(OptionsError::ProxyUser);
        }
        let mut options = self.socks_proxy(proxy)?;
        if let Some(proxy) = &mut options.settings.proxy {
            proxy.user = Some(user);
        }
        Ok(options)
    }
}
