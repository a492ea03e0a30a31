//! Methods of [`Handle`] that return and change the options of a live socket.

use crate::handle::Handle;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{SetOptionsError, SocketOption};
use sansmq_proto::{Options, SocketType};

impl<T: Kind> Handle<T> {
    /// Returns the socket type.
    #[doc(alias("ZMQ_TYPE", "TYPE"))]
    pub fn socket_type(&self) -> SocketType {
        self.shared().with(|state| state.socket.socket_type())
    }

    /// Returns the options of the socket, as they are now (`zmq_getsockopt`). To change some of them, pass the changed options
    /// to [`set_options`](Self::set_options).
    #[doc(alias("zmq_getsockopt", "getsockopt"))]
    pub fn options(&self) -> Options<T> {
        self.shared().with(|state| state.socket.options()).expect("the kind of a handle is that of its socket")
    }

    /// Changes the options of the socket (`zmq_setsockopt`), all or none of them. The moment from which an option counts:
    ///
    #[doc = sansmq_proto::set_options_table!()]
    ///
    /// # Errors
    /// [`SetOptionsError`]: an option cannot change any more, or the socket is closed.
    #[doc(alias("zmq_setsockopt", "setsockopt"))]
    pub fn set_options(&self, options: Options<T>) -> Result<(), SetOptionsError> {
        self.shared().with(|state| state.socket.set_options(options))
    }

    /// Changes one option of the socket (`zmq_setsockopt`). The other options stay as they are: calls of several tasks or threads
    /// for different options do not undo each other, as [`options`](Self::options) followed by [`set_options`](Self::set_options)
    /// could. The option counts from the moment in the table at [`set_options`](Self::set_options).
    ///
    /// # Errors
    /// [`SetOptionsError`]: the option does not exist for this socket type, its value is invalid, it cannot change any more, or
    /// the socket is closed.
    #[doc(alias("zmq_setsockopt", "setsockopt"))]
    pub fn set_option(&self, option: SocketOption) -> Result<(), SetOptionsError> {
        self.shared().with(|state| state.socket.set_option(option))
    }
}
