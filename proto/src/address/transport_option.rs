//! [`TransportOption`]: names of the options in [`TransportConfig`](super::TransportConfig), for errors.

use core::fmt;

/// Option for the operating system's sockets, in [`NetworkError::UnsupportedOption`](super::NetworkError::UnsupportedOption) and
/// [`NetworkError::OptionRejected`](super::NetworkError::OptionRejected). `Display` writes the name of its setter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportOption {
    /// [`Options::dual_stack`](crate::Options::dual_stack).
    DualStack,
    /// [`Options::reuse_port`](crate::Options::reuse_port).
    ReusePort,
    /// [`Options::keepalive`](crate::Options::keepalive), on or off.
    Keepalive,
    /// [`Keepalive::idle`](super::Keepalive::idle).
    KeepaliveIdle,
    /// [`Keepalive::interval`](super::Keepalive::interval).
    KeepaliveInterval,
    /// [`Keepalive::count`](super::Keepalive::count).
    KeepaliveCount,
    /// [`Options::send_buffer`](crate::Options::send_buffer) or [`Options::recv_buffer`](crate::Options::recv_buffer).
    BufferSize,
    /// [`Options::tcp_max_retransmit_timeout`](crate::Options::tcp_max_retransmit_timeout).
    MaxRetransmitTimeout,
    /// [`Options::tos`](crate::Options::tos) for IPv4.
    Tos,
    /// [`Options::tos`](crate::Options::tos) for IPv6.
    TrafficClass,
    /// [`Options::priority`](crate::Options::priority).
    Priority,
    /// [`Options::bind_to_device`](crate::Options::bind_to_device).
    BindToDevice,
}

impl TransportOption {
    /// Returns the name of the setter of the option, as in code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DualStack => "dual_stack",
            Self::ReusePort => "reuse_port",
            Self::Keepalive => "keepalive",
            Self::KeepaliveIdle => "Keepalive::idle",
            Self::KeepaliveInterval => "Keepalive::interval",
            Self::KeepaliveCount => "Keepalive::count",
            Self::BufferSize => "send_buffer or recv_buffer",
            Self::MaxRetransmitTimeout => "tcp_max_retransmit_timeout",
            Self::Tos => "tos",
            Self::TrafficClass => "tos for IPv6",
            Self::Priority => "priority",
            Self::BindToDevice => "bind_to_device",
        }
    }

    /// Returns the names of the operating systems on which the option works, as text.
    pub const fn systems(self) -> &'static str {
        match self {
            Self::Keepalive | Self::BufferSize => "every system",
            Self::DualStack | Self::KeepaliveIdle | Self::KeepaliveInterval => {
                "Linux, Android, systems of Apple, FreeBSD, NetBSD and Windows"
            }
            Self::KeepaliveCount => "Linux, Android, systems of Apple, FreeBSD, NetBSD and Windows 10",
            Self::MaxRetransmitTimeout | Self::Priority | Self::BindToDevice => "Linux and Android",
            Self::ReusePort | Self::Tos => "Linux, Android, systems of Apple and the BSDs",
            Self::TrafficClass => "Linux, Android, macOS and the BSDs",
        }
    }
}

impl fmt::Display for TransportOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
