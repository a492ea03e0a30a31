//! [`Served`]: a socket handle with constructors. `sansmq-tokio` and `sansmq-smol` export this type as `Socket`.

use crate::context::Context;
use crate::handle::Handle;
use crate::runtime::{Runtime, spawn_socket};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use sansmq_proto::Options;
use sansmq_proto::kind::{Any, Kind, Typed};

/// A [`Runtime`] that can be found from the current task or thread, so that sockets can be created without naming the runtime.
pub trait CurrentRuntime: Runtime {
    /// Returns the current runtime.
    ///
    /// # Panics
    /// If there is no current runtime.
    fn current() -> Self;
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
    pub fn new() -> Self {
        Self::with_options(Options::new())
    }
}

impl<R: CurrentRuntime, T: Typed> Default for Served<R, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: CurrentRuntime, T: Kind> Served<R, T> {
    /// Creates a socket with the given options on the current runtime.
    ///
    /// # Panics
    /// If there is no current runtime.
    pub fn with_options(options: Options<T>) -> Self {
        Self::in_context(&Context::global(), options)
    }

    /// Creates a socket on the current runtime. Its `inproc` names and shared ports are those of `context`.
    ///
    /// # Panics
    /// If there is no current runtime.
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
