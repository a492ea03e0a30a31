//! Hostile peers over TCP and `ipc`, on each runtime. The tests check how the connections end, how much memory the connections
//! use, and that honest peers are served meanwhile. The benchmark of the same name measures processor time.

mod handshakes;
mod malformed;
mod messages;
mod secured;
mod subscribers;
mod unread;
