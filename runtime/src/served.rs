//! [`Served`]: a handle with constructors, for a runtime to call its `Socket`.

use crate::context::Context;
use crate::handle::Handle;
use crate::runtime::{Runtime, spawn_socket};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use sansmq_proto::Options;
use sansmq_proto::kind::{Any, Kind, Typed};

/// A [`Runtime`] that can be found from where one stands, so that sockets can be made without naming it.
pub trait CurrentRuntime: Runtime {
    /// The runtime of this place.
    fn current() -> Self;
}

/// A socket served by tasks of the runtime `R`. All that it can do is in [`Handle`].
pub struct Served<R, T: Kind = Any> {
    handle: Handle<T>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: CurrentRuntime, T: Typed> Served<R, T> {
    /// A socket with the default [`Options`].
    ///
    /// # Panics
    /// Where there is no such runtime.
    pub fn new() -> Self {
        Self::with(Options::new())
    }
}

impl<R: CurrentRuntime, T: Typed> Default for Served<R, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: CurrentRuntime, T: Kind> Served<R, T> {
    /// A socket with these options.
    ///
    /// # Panics
    /// Where there is no such runtime.
    pub fn with(options: Options<T>) -> Self {
        Self::in_context(&Context::global(), options)
    }

    /// Creates a socket whose `inproc` names and shared ports are those of `context`.
    ///
    /// # Panics
    /// Outside of such a runtime.
    pub fn in_context(context: &Context, options: Options<T>) -> Self {
        spawn_socket(options, context, &R::current()).into()
    }
}

impl<R: Runtime, T: Kind> Served<R, T> {
    /// A socket with these options that is served by this runtime. In another context than the global one it is
    /// `spawn_socket(options, &context, runtime).into()`; see [`spawn_socket`].
    pub fn on(runtime: &R, options: Options<T>) -> Self {
        spawn_socket(options, &Context::global(), runtime).into()
    }
}

impl<R, T: Kind> Served<R, T> {
    /// The same socket with its type forgotten, as [`Handle::erase`] does.
    pub fn erase(&self) -> Served<R, Any> {
        self.handle.erase().into()
    }

    /// The handle alone, which names no runtime.
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
