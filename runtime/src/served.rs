//! [`Served`]: a socket handle with constructors. `sansmq-tokio` and `sansmq-smol` export this type as `Socket`.

use crate::context::Context;
use crate::handle::Handle;
use crate::runtime::{Runtime, spawn_socket};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use sansmq_proto::Options;
use sansmq_proto::kind::{Any, Kind, Typed};
use thiserror::Error;

/// A [`Runtime`] that can be found from the current task or thread, so that sockets can be created without naming the runtime.
pub trait CurrentRuntime: Runtime {
    /// Returns the current runtime.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] if there is no current runtime.
    fn try_current() -> Result<Self, StartError>;

    /// Returns the current runtime.
    ///
    /// # Panics
    /// If there is no current runtime.
    #[track_caller]
    fn current() -> Self {
        match Self::try_current() {
            Ok(runtime) => runtime,
            // In a closure, the panic would not be at the line of the caller.
            Err(error) => panic!("{error}"),
        }
    }
}

/// Error that `try_new` of a socket returns.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no current runtime. Carries its name.
    #[error("there is no {0} runtime here: create the socket inside of one, or name the runtime with `on`")]
    NoRuntime(&'static str),
    /// The thread on which the sockets run in the background could not start: the operating system has no thread or no
    /// descriptors left.
    #[error("the background thread of the sockets could not start: {0}")]
    Background(#[source] std::io::Error),
}

/// Socket that runs on the runtime `R`. Its methods are those of [`Handle`].
pub struct Served<R, T: Kind = Any> {
    handle: Handle<T>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: CurrentRuntime, T: Typed> Served<R, T> {
    /// Creates a socket with the default [`Options`] on the current runtime.
    ///
    /// # Panics
    /// If there is no current runtime.
    #[doc(alias("zmq_socket", "zsock_new"))]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_options(Options::new())
    }

    /// Creates a socket with the default [`Options`] on the current runtime. With other options, write
    /// `Socket::on(&Tokio::try_current()?, options)`, where `Tokio` is the runtime, and import the trait
    /// `sansmq::runtime::CurrentRuntime`.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] if there is no current runtime.
    pub fn try_new() -> Result<Self, StartError> {
        Ok(Self::on(&R::try_current()?, Options::new()))
    }
}

impl<R: CurrentRuntime, T: Typed> Default for Served<R, T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<R: CurrentRuntime, T: Kind> Served<R, T> {
    /// Creates a socket with the given options on the current runtime. The type of the socket may be known only at run time:
    ///
    /// ```
    /// use sansmq::{Options, SocketType};
    ///
    /// # use sansmq::runtime::{CurrentRuntime, Served as Socket};
    /// # fn open<R: CurrentRuntime>() -> Result<Socket<R>, Box<dyn core::error::Error>> {
    /// let socket_type: SocketType = "dealer".parse()?; // from a configuration file
    /// let socket = Socket::with_options(Options::of(socket_type)); // `Socket` of sansmq::tokio or sansmq::smol
    /// # Ok(socket)
    /// # }
    /// ```
    ///
    /// # Panics
    /// If there is no current runtime.
    #[track_caller]
    pub fn with_options(options: Options<T>) -> Self {
        Self::in_context(&Context::global(), options)
    }

    /// Creates a socket on the current runtime. Its `inproc` names and shared ports are those of `context`.
    ///
    /// # Panics
    /// If there is no current runtime.
    #[track_caller]
    pub fn in_context(context: &Context, options: Options<T>) -> Self {
        spawn_socket(options, context, &R::current()).into()
    }
}

impl<R: Runtime, T: Kind> Served<R, T> {
    /// Creates a socket on the given runtime, in the global context. To use another context, write
    /// `spawn_socket(options, &context, runtime).into()`; see [`spawn_socket`].
    pub fn on(runtime: &R, options: Options<T>) -> Self {
        spawn_socket(options, &Context::global(), runtime).into()
    }
}

impl<R, T: Kind> Served<R, T> {
    /// Returns a handle of this socket without the static socket type, as [`Handle::erase`] does.
    pub fn erase(&self) -> Served<R, Any> {
        self.handle.erase().into()
    }

    /// Returns the handle of this socket. Its type [`Handle`] does not depend on the runtime.
    pub fn into_handle(self) -> Handle<T> {
        self.handle
    }
}

impl<R, T: Kind> From<Handle<T>> for Served<R, T> {
    fn from(handle: Handle<T>) -> Self {
        Self { handle, runtime: PhantomData }
    }
}

impl<R, T: Kind> AsRef<Handle<T>> for Served<R, T> {
    fn as_ref(&self) -> &Handle<T> {
        &self.handle
    }
}

impl<R, T: Kind> Deref for Served<R, T> {
    type Target = Handle<T>;

    fn deref(&self) -> &Handle<T> {
        &self.handle
    }
}

impl<R, T: Kind> Clone for Served<R, T> {
    fn clone(&self) -> Self {
        self.handle.clone().into()
    }
}

impl<R, T: Kind> fmt::Debug for Served<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}
