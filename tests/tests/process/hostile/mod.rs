//! Hostile peers over sockets of the operating system, on each runtime: how their connections end, how much memory they cost,
//! and that honest peers are served meanwhile. The benchmark of the same name measures what they cost in time.

mod handshakes;
mod malformed;
mod messages;
mod secured;
mod subscribers;
mod unread;
