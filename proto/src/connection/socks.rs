//! Connections through a SOCKS5 proxy (RFC 1928, RFC 1929): the handshake with the proxy, before the greeting of the
//! peer.

use super::{Connection, Outbox, Phase};
use crate::address::{Endpoint, Host};
use crate::connection::config::ConnectionConfig;
use crate::connection::error::ConnectionError;
use crate::cost;
use crate::entropy::Entropy;
use crate::security::HandshakeEntropy;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Buf;
use core::fmt;
use core::net::IpAddr;
use thiserror::Error;

/// Reason why a SOCKS5 proxy did not connect to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocksError {
    /// The reply of the proxy is not SOCKS5.
    #[error("the reply is not SOCKS5; is this the port of another service?")]
    NotSocks,
    /// The proxy does not accept the authentication method that this side offered. The value is the name of the method:
    /// no authentication, or user name and password.
    #[error("the proxy does not accept the offered authentication method, {0}; see `socks_proxy` and `socks_proxy_as`")]
    Method(&'static str),
    /// The proxy rejected the user name or the password.
    #[error("the proxy rejected the user name or the password that were given to `socks_proxy_as`")]
    Denied,
    /// The proxy could not connect to the peer, or does not allow this connection. The value is the reply code of the
    /// proxy (RFC 1928).
    #[error("the proxy replied: {}", reason(*.0))]
    Refused(u8),
    /// A SOCKS5 request cannot contain the address of the peer, for example because the host name is longer than 255
    /// bytes.
    #[error("the address cannot be sent to a proxy; it must be an IP address or a host name of at most 255 bytes")]
    Address,
}

/// Returns a description of a SOCKS5 reply code (RFC 1928, section 6).
fn reason(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "connection not allowed",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 | 8 => "command or address type not supported",
        _ => "unknown error code",
    }
}

/// User name and password for a SOCKS proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

// Written by hand to keep the password out of logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reply that is expected next from the proxy.
///
/// ```text
/// Method ──no authentication────────────────► Reply ──► connected
///    └────user name and password──► Login ──────▲
/// ```
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Reply with the authentication method that the proxy has selected.
    Method,
    /// Reply with the result of the authentication (RFC 1929).
    Login,
    /// Reply with the result of the CONNECT request.
    Reply,
}

/// State of the handshake with a SOCKS5 proxy, before the handshake with the peer.
#[derive(Debug)]
pub(super) struct Socks {
    stage: Stage,
    /// Received bytes of the proxy's reply that is expected next.
    reply: Vec<u8>,
    user: Option<User>,
    request: Vec<u8>,
    pub(super) deadline: Option<Instant>,
    /// Processes the replies of the proxy at the front of `input`. Returns true once the proxy has connected to the peer.
    // A pointer, as `ConnectVia`.
    pub(super) step: fn(&mut Self, &mut &[u8], &mut Outbox) -> Result<bool, ConnectionError>,
}

/// Type of [`Connection::via_socks`].
// The options of a proxy have a pointer to this function, so that a program without a proxy does not link SOCKS.
pub(crate) type ConnectVia =
    fn(&Arc<ConnectionConfig>, Option<User>, &Endpoint, &mut dyn Entropy, Instant) -> Connection;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_PASSWORD: u8 = 2;

impl Connection {
    /// Creates a connection to the peer at the endpoint `to` through a SOCKS proxy. The connection offers one
    /// authentication method to the proxy: user name and password if `user` is set, otherwise no authentication.
    pub(crate) fn via_socks(
        config: &Arc<ConnectionConfig>,
        user: Option<User>,
        to: &Endpoint,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Self {
        let method = if user.is_some() { USER_PASSWORD } else { NO_AUTHENTICATION };
        let mut outbox = Outbox::new();
        outbox.push_bytes(&[VERSION, 1, method]);
        let deadline = config.handshake_timeout.map(|timeout| now + timeout);
        let request = request(to).unwrap_or_default();
        let socks =
            Socks { stage: Stage::Method, reply: Vec::new(), user, request, deadline, step: Socks::handle_replies };
        let fresh = HandshakeEntropy::draw(&config.security, entropy);
        Self::in_phase(Phase::Proxy(Box::new(socks)), outbox, config, fresh, now)
    }
}

impl Socks {
    /// Does what [`step`](Self::step) describes.
    fn handle_replies(&mut self, input: &mut &[u8], outbox: &mut Outbox) -> Result<bool, ConnectionError> {
        loop {
            let missing = self.expected().saturating_sub(self.reply.len());
            let (front, rest) = input.split_at(missing.min(input.len()));
            cost::nodes(1);
            cost::bytes(front.len());
            self.reply.extend_from_slice(front);
            *input = rest;
            if self.reply.first().is_some_and(|&version| !self.is_expected_version(version)) {
                return Err(SocksError::NotSocks.into());
            }
            if self.reply.len() < self.expected() {
                if input.is_empty() {
                    return Ok(false);
                }
                continue; // the received start of the reply contains its length
            }
            if outbox.has_remaining() {
                return Err(SocksError::NotSocks.into()); // a reply to a request that is not sent yet
            }
            if self.proceed(outbox)? {
                return Ok(true);
            }
        }
    }

    /// Returns true if `version` is the valid first byte of the reply that is expected next.
    fn is_expected_version(&self, version: u8) -> bool {
        match self.stage {
            Stage::Method | Stage::Reply => version == VERSION,
            Stage::Login => version == 1,
        }
    }

    /// Returns the length in bytes of the reply that is expected next. If too few bytes of the reply are received to
    /// determine its length, returns a lower bound.
    fn expected(&self) -> usize {
        match (self.stage, &self.reply[..]) {
            (Stage::Method | Stage::Login, _) => 2,
            (Stage::Reply, [_, _, _, 1, ..]) => 4 + 4 + 2,
            (Stage::Reply, [_, _, _, 4, ..]) => 4 + 16 + 2,
            (Stage::Reply, [_, _, _, 3, len, ..]) => 5 + usize::from(*len) + 2,
            (Stage::Reply, [_, _, _, 3]) => 5,
            (Stage::Reply, _) => 4,
        }
    }

    /// Processes a complete reply and sends the next request, if any. Returns true once the proxy has connected to the
    /// peer.
    fn proceed(&mut self, outbox: &mut Outbox) -> Result<bool, ConnectionError> {
        let reply = core::mem::take(&mut self.reply);
        let code = reply.get(1).copied().unwrap_or(u8::MAX);
        match (self.stage, &self.user) {
            (Stage::Method, Some(user)) if code == USER_PASSWORD => {
                let (name, password) = (user.name.as_bytes(), user.password.as_bytes());
                let len = |text: &[u8]| u8::try_from(text.len()).unwrap_or(u8::MAX);
                let login = [&[1, len(name)], name, &[len(password)], password].concat();
                outbox.push_bytes(&login);
                self.stage = Stage::Login;
            }
            (Stage::Method, Some(_)) => return Err(SocksError::Method("user name and password").into()),
            (Stage::Method, None) if code != NO_AUTHENTICATION => {
                return Err(SocksError::Method("no authentication").into());
            }
            (Stage::Login, _) if code != 0 => return Err(SocksError::Denied.into()),
            (Stage::Method | Stage::Login, _) => {
                if self.request.is_empty() {
                    return Err(SocksError::Address.into());
                }
                outbox.push_bytes(&self.request);
                self.stage = Stage::Reply;
            }
            (Stage::Reply, _) if code != 0 => return Err(SocksError::Refused(code).into()),
            (Stage::Reply, _) if !matches!(reply.get(3), Some(1 | 3 | 4)) => return Err(SocksError::NotSocks.into()),
            (Stage::Reply, _) => return Ok(true),
        }
        Ok(false)
    }
}

/// Returns the CONNECT request for the endpoint `to`; `None` if a SOCKS5 request cannot contain this endpoint. The
/// proxy resolves host names.
fn request(to: &Endpoint) -> Option<Vec<u8>> {
    let Endpoint::Tcp { host, port, .. } = to else { return None };
    let mut request = Vec::from([VERSION, 1, 0]);
    match host {
        Host::Any => return None,
        Host::Ip(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Host::Ip(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        Host::Name(name) => {
            request.extend_from_slice(&[3, u8::try_from(name.len()).ok()?]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Some(request)
}
