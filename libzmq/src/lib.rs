//! The C interface of libzmq 4.3.5, on the sockets of sansmq. `README.md` has the state of every function and option.
//!
//! | module | functions |
//! |---|---|
//! | [`context`], [`io_thread`] | `zmq_ctx_*`; the threads of the event loops |
//! | [`socket`] | `zmq_socket`, `zmq_close`, `zmq_bind`, `zmq_connect` and their opposites |
//! | [`options`] | `zmq_setsockopt`, `zmq_getsockopt` |
//! | [`message`], [`messages`] | `zmq_msg_t` and its functions |
//! | [`transfer`], [`unread`] | `zmq_send`, `zmq_recv` and their variants |
//! | [`readiness`], [`poll`], [`poller`] | `ZMQ_EVENTS`, `ZMQ_FD`, `zmq_poll`, `zmq_poller_*` |
//! | [`monitor`], [`proxy`], [`timers`], [`utilities`] | the functions of these names |
//! | [`handles`], [`endpoint`], [`memory`], [`errno`], [`notify`] | handles, endpoints, memory and errors of C code; conditions |
//!
//! No rule of a socket type is here: this crate converts values, and keeps what C code gives and takes in parts. A panic in a
//! function ends the process, because `extern "C"` functions do not unwind.
//!
//! # Safety
//! As the manual of libzmq requires: pointers are null, or point to memory of the stated size; strings end with a zero byte. Handles
//! of sockets and other objects are looked up and not dereferenced, so any value of these is safe.

#![cfg(unix)]
#![allow(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "handles have the type of a pointer in C, and are not dereferenced"
)]

mod context;
mod endpoint;
mod errno;
mod handles;
mod io_thread;
mod memory;
mod message;
mod messages;
mod monitor;
mod notify;
mod options;
mod poll;
mod poller;
mod proxy;
mod readiness;
mod socket;
#[cfg(test)]
mod tests;
mod timers;
mod transfer;
mod unread;
mod utilities;
