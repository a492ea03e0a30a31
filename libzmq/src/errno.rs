//! [`Errno`]: the error of a function, as a number of C's `errno`.

use core::ffi::{c_char, c_int};
use sansmq::mio::BlockOnError;
use sansmq::proto::socket::Unsent;
use sansmq::{
    BindError, ConnectError, JoinError, NetworkError, OptionsError, ParseEndpointError, ProxyError, RecvError,
    SendError, SetOptionsError, SubscribeError, UnbindError,
};

/// First number of the errors that no operating system has.
const HAUSNUMERO: c_int = 156_384_712;

/// Number of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

impl Errno {
    pub(crate) const FSM: Self = Self(HAUSNUMERO + 51);
    pub(crate) const NO_COMPATIBLE_PROTOCOL: Self = Self(HAUSNUMERO + 52);
    pub(crate) const TERMINATED: Self = Self(HAUSNUMERO + 53);
    pub(crate) const NO_THREAD: Self = Self(HAUSNUMERO + 54);

    pub(crate) const AGAIN: Self = Self(libc::EAGAIN);
    pub(crate) const FAULT: Self = Self(libc::EFAULT);
    pub(crate) const HOST_UNREACHABLE: Self = Self(libc::EHOSTUNREACH);
    pub(crate) const INTERRUPTED: Self = Self(libc::EINTR);
    pub(crate) const INVALID: Self = Self(libc::EINVAL);
    pub(crate) const MESSAGE_SIZE: Self = Self(libc::EMSGSIZE);
    pub(crate) const NO_ENTRY: Self = Self(libc::ENOENT);
    pub(crate) const NO_FILES: Self = Self(libc::EMFILE);
    pub(crate) const NO_MEMORY: Self = Self(libc::ENOMEM);
    pub(crate) const NOT_A_SOCKET: Self = Self(libc::ENOTSOCK);
    pub(crate) const NOT_SUPPORTED: Self = Self(libc::ENOTSUP);

    /// Stores the number in C's `errno` of this thread.
    pub(crate) fn store(self) {
        errno::set_errno(errno::Errno(self.0));
    }

    /// Returns the number in C's `errno` of this thread.
    pub(crate) fn stored() -> Self {
        Self(errno::errno().0)
    }

    /// Returns the text of `zmq_strerror` for the errors that no operating system has.
    pub(crate) const fn text(self) -> Option<&'static core::ffi::CStr> {
        Some(match self {
            Self::FSM => c"Operation cannot be accomplished in current state",
            Self::NO_COMPATIBLE_PROTOCOL => c"The protocol is not compatible with the socket type",
            Self::TERMINATED => c"Context was terminated",
            Self::NO_THREAD => c"No thread available",
            Self(_) => return None,
        })
    }
}

/// Returns 0, or stores the error and returns -1.
pub(crate) fn status(result: Result<(), Errno>) -> c_int {
    number(result.map(|()| 0))
}

/// Returns the number, or stores the error and returns -1.
pub(crate) fn number(result: Result<c_int, Errno>) -> c_int {
    result.unwrap_or_else(|error| {
        error.store();
        -1
    })
}

/// Returns the pointer, or stores the error and returns null.
pub(crate) fn pointer<T>(result: Result<*mut T, Errno>) -> *mut T {
    result.unwrap_or_else(|error| {
        error.store();
        core::ptr::null_mut()
    })
}

/// Returns the text of an error of the operating system.
pub(crate) fn system_text(number: c_int) -> *const c_char {
    // SAFETY: `strerror` accepts every number, and returns a string that stays valid until the next call in any thread, as
    // `zmq_strerror` documents of its result.
    unsafe { libc::strerror(number) }
}

impl From<NetworkError> for Errno {
    fn from(error: NetworkError) -> Self {
        Self(match error {
            NetworkError::Refused => libc::ECONNREFUSED,
            NetworkError::Unreachable => libc::ENETUNREACH,
            NetworkError::TimedOut => libc::ETIMEDOUT,
            NetworkError::Reset => libc::ECONNRESET,
            NetworkError::AddressInUse | NetworkError::NotASocket | NetworkError::PathReplaced => libc::EADDRINUSE,
            NetworkError::AddressUnavailable | NetworkError::UnknownHost | NetworkError::NoSuchDevice => libc::ENODEV,
            NetworkError::PermissionDenied | NetworkError::DirectoryNotWritable => libc::EACCES,
            NetworkError::PathNotFound | NetworkError::NoDirectory => libc::ENOENT,
            NetworkError::NotADirectory => libc::ENOTDIR,
            NetworkError::InvalidPath => libc::ENAMETOOLONG,
            NetworkError::TooManyFiles => libc::EMFILE,
            NetworkError::Unsupported
            | NetworkError::NoIpc
            | NetworkError::NoAbstractNames
            | NetworkError::UnsupportedOption(_) => libc::ENOTSUP,
            _ => libc::EINVAL,
        })
    }
}

impl From<ParseEndpointError> for Errno {
    fn from(error: ParseEndpointError) -> Self {
        match error {
            ParseEndpointError::UnknownTransport(_) => Self(libc::EPROTONOSUPPORT),
            ParseEndpointError::TooLong(_) => Self(libc::ENAMETOOLONG),
            _ => Self::INVALID,
        }
    }
}

impl From<BindError> for Errno {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Endpoint(error) => error.into(),
            BindError::Network { error, .. } | BindError::Listener(error) => error.into(),
            BindError::Transport(..) => Self::NO_COMPATIBLE_PROTOCOL,
            BindError::Closed => Self::TERMINATED,
            BindError::TimedOut { .. } => Self::AGAIN,
            BindError::Forked | BindError::Interrupted => Self::INTERRUPTED,
            _ => Self::INVALID,
        }
    }
}

impl From<ConnectError> for Errno {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Endpoint(error) => error.into(),
            ConnectError::Transport(..) => Self::NO_COMPATIBLE_PROTOCOL,
            ConnectError::Closed => Self::TERMINATED,
            ConnectError::Runtime(error) => error.into(),
            ConnectError::Unsupported(..) => Self::NOT_SUPPORTED,
            ConnectError::Forked => Self::INTERRUPTED,
            _ => Self::INVALID,
        }
    }
}

impl From<UnbindError> for Errno {
    fn from(error: UnbindError) -> Self {
        match error {
            UnbindError::Endpoint(error) => error.into(),
            UnbindError::Network { error, .. } => error.into(),
            UnbindError::Unknown(_) => Self::NO_ENTRY,
            UnbindError::UnknownPeer(_) => Self::HOST_UNREACHABLE,
            UnbindError::Unsupported(_) => Self::NOT_SUPPORTED,
            UnbindError::TimedOut { .. } => Self::AGAIN,
            UnbindError::Forked | UnbindError::Interrupted => Self::INTERRUPTED,
            _ => Self::INVALID,
        }
    }
}

impl From<&SendError> for Errno {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::Full(_) | SendError::TimedOut { .. } => Self::AGAIN,
            SendError::Unroutable(_) | SendError::Unreachable { .. } => Self::HOST_UNREACHABLE,
            SendError::TooLarge(_) => Self::MESSAGE_SIZE,
            SendError::OutOfTurn(_) => Self::FSM,
            SendError::Unsupported(..) => Self::NOT_SUPPORTED,
            SendError::Closed(_) => Self::TERMINATED,
            SendError::Runtime(_, error) => (*error).into(),
            SendError::Forked(_) | SendError::Interrupted(_) => Self::INTERRUPTED,
            _ => Self::INVALID,
        }
    }
}

impl From<Unsent> for Errno {
    fn from(why: Unsent) -> Self {
        match why {
            Unsent::Full => Self::AGAIN,
            Unsent::Unroutable | Unsent::Unreachable => Self::HOST_UNREACHABLE,
            Unsent::TooLarge => Self::MESSAGE_SIZE,
            Unsent::OutOfTurn => Self::FSM,
            Unsent::Unsupported(_) => Self::NOT_SUPPORTED,
            Unsent::Closed => Self::TERMINATED,
            _ => Self::INVALID,
        }
    }
}

impl From<RecvError> for Errno {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Empty | RecvError::TimedOut { .. } => Self::AGAIN,
            RecvError::OutOfTurn => Self::FSM,
            RecvError::Unsupported(_) => Self::NOT_SUPPORTED,
            RecvError::Closed => Self::TERMINATED,
            RecvError::Runtime(error) => error.into(),
            RecvError::Forked | RecvError::Interrupted => Self::INTERRUPTED,
            RecvError::PeerLost { .. } | RecvError::Unreachable(_) => Self::HOST_UNREACHABLE,
            _ => Self::INVALID,
        }
    }
}

impl From<SetOptionsError> for Errno {
    fn from(error: SetOptionsError) -> Self {
        match error {
            SetOptionsError::Closed => Self::TERMINATED,
            _ => Self::INVALID,
        }
    }
}

impl From<OptionsError> for Errno {
    fn from(_: OptionsError) -> Self {
        Self::INVALID
    }
}

impl From<SubscribeError> for Errno {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Closed => Self::TERMINATED,
            _ => Self::INVALID,
        }
    }
}

impl From<JoinError> for Errno {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Closed => Self::TERMINATED,
            _ => Self::INVALID,
        }
    }
}

impl From<ProxyError> for Errno {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Interrupted | ProxyError::Forked => Self::INTERRUPTED,
            _ => Self::TERMINATED,
        }
    }
}

impl From<BlockOnError> for Errno {
    fn from(error: BlockOnError) -> Self {
        match error {
            BlockOnError::Interrupted => Self::INTERRUPTED,
            _ => Self::AGAIN,
        }
    }
}
