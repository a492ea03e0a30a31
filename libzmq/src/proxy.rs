//! `zmq_proxy`, `zmq_proxy_steerable` and `zmq_device`.

use crate::errno::{Errno, number};
use crate::socket::{self, Socket};
use core::ffi::{c_int, c_void};
use sansmq::Proxy;
use sansmq::mio::run_proxy;
use std::sync::Arc;

/// Runs a proxy until its context is terminated, or its control socket ends it.
fn run(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> Result<c_int, Errno> {
    let optional = |handle: *mut c_void| -> Result<Option<Arc<Socket>>, Errno> {
        if handle.is_null() { Ok(None) } else { Ok(Some(socket::find(handle)?)) }
    };
    if frontend.is_null() || backend.is_null() {
        return Err(Errno::FAULT);
    }
    let (frontend, backend) = (socket::find(frontend)?, socket::find(backend)?);
    let (capture, control) = (optional(capture)?, optional(control)?);
    frontend.context.check_open()?;
    for (from, to) in [(&frontend, &backend), (&backend, &frontend)] {
        for message in from.take_unread() {
            to.blocking.send(message).map_err(|error| Errno::from(&error))?;
        }
    }
    let mut proxy = Proxy::new(frontend.handle(), backend.handle());
    if let Some(capture) = &capture {
        proxy = proxy.capture(capture.handle());
    }
    if let Some(control) = &control {
        proxy = proxy.control(control.handle());
    }
    run_proxy(&mut proxy)?;
    frontend.context.check_open()?;
    Ok(0)
}

/// `zmq_proxy`: forwards messages between two sockets until their context is terminated.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int {
    number(run(frontend, backend, capture, core::ptr::null_mut()))
}

/// `zmq_proxy_steerable`: forwards messages as `zmq_proxy` does, and obeys the messages of a control socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy_steerable(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> c_int {
    number(run(frontend, backend, capture, control))
}

/// `zmq_device`, the earlier name of `zmq_proxy`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_device(_: c_int, frontend: *mut c_void, backend: *mut c_void) -> c_int {
    zmq_proxy(frontend, backend, core::ptr::null_mut())
}
