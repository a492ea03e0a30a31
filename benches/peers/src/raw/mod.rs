//! The physical limit: plain sockets, one thread per process, no message library.
//!
//! A real ZMTP 3.0 handshake with NULL and real frames, so that each side can also be the peer of any implementation. Frames are
//! prepared in advance and written in large blocks; the receiver only reads frame headers and the numbers of the messages.

mod frames;
mod gate;
mod inproc;
mod net;
mod pubsub;
mod push_pull;
mod rate;
mod requests;

pub use frames::envelope;
pub use gate::Wait;
pub use net::{Listener, Stream};

use crate::common::*;

/// Runs the scenario of `a`. `wait`: how the process waits for input where it has one connection.
pub fn run(a: Args, wait: Wait) -> ! {
    match (a.scenario, a.role) {
        (Scenario::Thr, Role::Bind) => push_pull::pull(&a, wait),
        (Scenario::Thr, Role::Connect) => push_pull::push(&a),
        (Scenario::Fanin, Role::Bind) => push_pull::fan_in_pull(&a),
        (Scenario::Fanin, Role::Connect) => push_pull::fan_in_push(&a),
        (Scenario::Lat, Role::Bind) => requests::pong(&a, wait),
        (Scenario::Lat, Role::Connect) => requests::ping(&a, wait),
        (Scenario::Router | Scenario::Conns | Scenario::Olat, Role::Bind) => requests::echo_server(&a),
        (Scenario::Router, Role::Connect) => requests::router_clients(&a),
        (Scenario::Conns, Role::Connect) => requests::conns_clients(&a),
        (Scenario::Olat, Role::Connect) => rate::requests(&a),
        (Scenario::Pubsub, Role::Bind) => pubsub::publish(&a),
        (Scenario::Pubsub, Role::Connect) => pubsub::subscribe(&a),
        (Scenario::InprocThr, Role::Both) => inproc::throughput(&a),
        (Scenario::InprocLat, Role::Both) => inproc::latency(&a),
        _ => unsupported(&a),
    }
}
