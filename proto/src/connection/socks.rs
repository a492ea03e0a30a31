//! Asking a SOCKS5 proxy to be put through to a peer (RFC 1928, RFC 1929), before the conversation with the peer begins.

use super::{Connection, Outbox, Phase};
use crate::address::{Endpoint, Host};
use crate::connection::config::ConnectionConfig;
use crate::connection::error::ConnectionError;
use crate::entropy::Entropy;
use crate::security::HandshakeEntropy;
use crate::time::Instant;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Buf;
use core::fmt;
use core::net::IpAddr;
use thiserror::Error;

/// Why a proxy did not put us through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocksError {
    /// It does not speak SOCKS5.
    #[error("it does not speak SOCKS5")]
    NotSocks,
    /// It wants another kind of authentication than it was offered: none, or a user and a password.
    #[error("it does not let us in {0}")]
    Method(&'static str),
    /// It refuses the user or the password.
    #[error("it refuses the user or the password")]
    Denied,
    /// It could not reach the peer, or will not. The code is RFC 1928's.
    #[error("it answers {}", reason(*.0))]
    Refused(u8),
    /// The peer's name is longer than 255 octets, or none that a proxy could look up.
    #[error("it cannot be told this address")]
    Address,
}

fn reason(code: u8) -> &'static str {
    match code {
        1 => "that it failed",
        2 => "that it does not allow this connection",
        3 => "that the network cannot be reached",
        4 => "that the host cannot be reached",
        5 => "that nobody listens there",
        6 => "that it took too long",
        7 | 8 => "that it does not know how to do that",
        _ => "by a code that is not known",
    }
}

/// Who we are to a proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// The password stays out of logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// ```text
/// Method ──none──────────────────► Reply ──► the peer
///    └────user──► Login ─────────────▲
/// ```
#[derive(Clone, Copy, Debug)]
enum Stage {
    Method,
    Login,
    Reply,
}

/// A conversation with a proxy.
#[derive(Debug)]
pub(super) struct Socks {
    stage: Stage,
    /// The start of an answer.
    answer: Vec<u8>,
    user: Option<User>,
    request: Vec<u8>,
    pub(super) deadline: Option<Instant>,
}

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;

impl Connection {
    /// A conversation through a proxy with the peer at this endpoint.
    pub(crate) fn via_socks(
        config: &Arc<ConnectionConfig>,
        user: Option<User>,
        to: &Endpoint,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Self {
        let method = if user.is_some() { LOGIN } else { NO_LOGIN };
        let mut outbox = Outbox::new();
        outbox.push_octets(&[VERSION, 1, method]);
        let deadline = config.handshake_timeout.map(|timeout| now + timeout);
        let request = request(to).unwrap_or_default();
        let socks = Socks { stage: Stage::Method, answer: Vec::new(), user, request, deadline };
        let fresh = HandshakeEntropy::draw(&config.security, entropy);
        Self::in_phase(Phase::Proxy(socks), outbox, config, fresh, now)
    }
}

impl Socks {
    /// Takes what belongs to the proxy off the input. True once it has put us through.
    pub(super) fn step(&mut self, input: &mut &[u8], outbox: &mut Outbox) -> Result<bool, ConnectionError> {
        loop {
            let missing = self.expected().saturating_sub(self.answer.len());
            let (front, rest) = input.split_at(missing.min(input.len()));
            self.answer.extend_from_slice(front);
            *input = rest;
            if self.answer.first().is_some_and(|&version| !self.fits(version)) {
                return Err(SocksError::NotSocks.into());
            }
            if self.answer.len() < self.expected() {
                if input.is_empty() {
                    return Ok(false);
                }
                continue; // its start has told how long it is
            }
            if outbox.has_remaining() {
                return Err(SocksError::NotSocks.into()); // it answers what it has not heard yet
            }
            if self.proceed(outbox)? {
                return Ok(true);
            }
        }
    }

    fn fits(&self, version: u8) -> bool {
        match self.stage {
            Stage::Method | Stage::Reply => version == VERSION,
            Stage::Login => version == 1,
        }
    }

    /// How long the answer is, as far as can be told from its start.
    fn expected(&self) -> usize {
        match (self.stage, &self.answer[..]) {
            (Stage::Method | Stage::Login, _) => 2,
            (Stage::Reply, [_, _, _, 1, ..]) => 4 + 4 + 2,
            (Stage::Reply, [_, _, _, 4, ..]) => 4 + 16 + 2,
            (Stage::Reply, [_, _, _, 3, len, ..]) => 5 + usize::from(*len) + 2,
            (Stage::Reply, [_, _, _, 3]) => 5,
            (Stage::Reply, _) => 4,
        }
    }

    /// Goes on from an answer that is complete. True once we are through.
    fn proceed(&mut self, outbox: &mut Outbox) -> Result<bool, ConnectionError> {
        let answer = core::mem::take(&mut self.answer);
        let code = answer.get(1).copied().unwrap_or(u8::MAX);
        match (self.stage, &self.user) {
            (Stage::Method, Some(user)) if code == LOGIN => {
                let (name, password) = (user.name.as_bytes(), user.password.as_bytes());
                let octets = |text: &[u8]| u8::try_from(text.len()).unwrap_or(u8::MAX);
                let login = [&[1, octets(name)], name, &[octets(password)], password].concat();
                outbox.push_octets(&login);
                self.stage = Stage::Login;
            }
            (Stage::Method, Some(_)) => return Err(SocksError::Method("with a user and a password").into()),
            (Stage::Method, None) if code != NO_LOGIN => {
                return Err(SocksError::Method("without a user and a password").into());
            }
            (Stage::Login, _) if code != 0 => return Err(SocksError::Denied.into()),
            (Stage::Method | Stage::Login, _) => {
                if self.request.is_empty() {
                    return Err(SocksError::Address.into());
                }
                outbox.push_octets(&self.request);
                self.stage = Stage::Reply;
            }
            (Stage::Reply, _) if code != 0 => return Err(SocksError::Refused(code).into()),
            (Stage::Reply, _) if !matches!(answer.get(3), Some(1 | 3 | 4)) => return Err(SocksError::NotSocks.into()),
            (Stage::Reply, _) => return Ok(true),
        }
        Ok(false)
    }
}

/// What asks a proxy to connect there. Names are looked up by the proxy.
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
