//! Execution of a simulated network ([`Net`]): runs the work that is due at the current time. Handles only the sockets
//! that were used since they were last handled, and the sockets with a timeout, a connection or arriving bytes that are
//! due.

use super::node::{End, SocketState};
use super::wire::{Wire, WireEnd, WireId};
use super::{Net, Side, SocketId};
use crate::address::{Endpoint, Host, NetworkError};
use crate::connection::{ConnectionError, Link};
use crate::session::{Session, Turn};
use crate::socket::{Action, PipeId, Socket};
use crate::time::earliest;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

impl Net {
    /// Runs the network until no socket has work left at the current time.
    pub(super) fn run_until_idle(&mut self) {
        let mut tally = core::mem::take(&mut self.tally);
        tally.add(|| {
            let mut steps = 0;
            while self.step() {
                steps += 1;
                assert!(steps < 1_000_000, "the network with seed {} never becomes idle", self.seed);
            }
        });
        self.tally = tally;
        #[cfg(feature = "meter")]
        self.check_held();
    }

    /// Checks the counted memory of all sockets ([`Socket::assert_held`](crate::Socket::assert_held)). A check that has
    /// visited many messages is repeated only after as many turns.
    #[cfg(feature = "meter")]
    fn check_held(&mut self) {
        if self.turns >= self.next_check {
            let visited = self.sockets().map(|socket| 1 + socket.assert_held()).sum::<usize>();
            self.next_check = self.turns + visited as u64;
        }
    }

    /// Runs one round of the work that is due at the current time. Returns false if no work was due.
    fn step(&mut self) -> bool {
        let mut busy = self.act();
        while let Some((id, pipe)) = self.timers.pop_due(self.now) {
            if self.nodes[id.node().index()].suspended {
                continue;
            }
            if let Some(pipe) = pipe {
                self.due.insert((id, pipe));
            } else {
                let now = self.now;
                self[id].handle_timeout(now);
                busy = true;
            }
        }
        while let Some(node) = self.alarms.pop_due(self.now) {
            self.awake.insert(node);
        }
        while let Some((id, side)) = self.arrivals.pop_due(self.now) {
            let Some(wire) = self.wires.get_mut(&id) else { continue };
            wire.tcp.deliver(side, self.now);
            self.due.insert(wire.end(side.other()));
            if wire.tcp.take_unblocked(side) {
                self.due.insert(wire.end(side));
            }
            self.arm(id);
            busy = true;
        }
        for (id, pipe) in core::mem::take(&mut self.due) {
            if !self.nodes[id.node().index()].suspended {
                self.turn(id, pipe);
                busy = true;
            }
        }
        // Before the applications, which otherwise had a second turn for `Readable`.
        busy |= self.act();
        self.run_applications() || busy
    }

    /// Executes the pending actions of the sockets, such as dials, and updates the sockets' timeouts. Returns false if
    /// there were no actions.
    pub(super) fn act(&mut self) -> bool {
        let mut busy = false;
        while let Some(id) = self.touched.pop_first() {
            while let Some(action) = self.socket_mut(id).and_then(Socket::poll_action) {
                busy = true;
                self.execute(id, action);
            }
            let timeout = self.socket_mut(id).and_then(|socket| socket.poll_timeout());
            self.timers.set_or_clear((id, None), timeout);
        }
        busy
    }

    /// Returns a socket; `None` if its node has crashed since the socket was used.
    fn socket_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.nodes[id.node().index()].sockets.get_mut(id.index()).map(|state| &mut state.socket)
    }

    fn execute(&mut self, socket: SocketId, action: Action) {
        match action {
            Action::Listen(id, endpoint) => {
                self.note(socket, format_args!("listens at {endpoint}"));
                self.listeners.insert((socket, id), endpoint.clone());
                self[socket].listening(id, endpoint);
            }
            Action::CloseListener(id) => {
                if let Some(endpoint) = self.listeners.remove(&(socket, id)) {
                    self.note(socket, format_args!("no longer listens at {endpoint}"));
                }
            }
            Action::Dial(pipe, endpoint) => self.dial(socket, pipe, &endpoint),
            Action::Service(pipe) => {
                self.due.insert((socket, pipe));
            }
            Action::Readable | Action::Writable => self.touch(socket),
            Action::Accept(_) | Action::CancelDial(_) => {}
        }
    }

    fn dial(&mut self, from: SocketId, pipe: PipeId, to: &Endpoint) {
        let Some(&(server, id)) = self.listeners.iter().find(|(_, at)| serves(at, to)).map(|(listener, _)| listener)
        else {
            self.refuse(from, pipe, to);
            return;
        };
        let (node, peer) = (from.node(), server.node());
        if !self.reach_each_other(node, peer) || self.nodes[peer.index()].suspended {
            self.note(from, format_args!("dials {to} and gets no reply"));
            return;
        }
        let name =
            Endpoint::Tcp { host: Host::Name(format!("node-{}", node.index())), port: 1, source: None, resource: None };
        // The listener may be closed, with its action still queued; or a limit of peers is reached.
        let now = self.now;
        let Some((accepted, connection)) = self[server].accepted(id, name, now) else {
            self.refuse(from, pipe, to);
            return;
        };
        let Some(dialled) = self[from].connected(pipe, now) else {
            self[server].disconnected(accepted, connection, &ConnectionError::PeerClosed, now);
            return;
        };
        self.note(from, format_args!("dials {to} for {pipe:?} and is accepted as {accepted:?} of {server:?}"));
        let ends = [(from, pipe), (server, accepted)];
        let wire = self.next_wire.next();
        self.wires.insert(wire, Wire::between(ends, self.conditions.link));
        for ((id, pipe), (side, connection)) in
            ends.into_iter().zip([(Side::Client, dialled), (Side::Server, connection)])
        {
            let end = End { session: Box::new(Session::new(connection)), wire, side, ready: false };
            self.nodes[id.node().index()].sockets[id.index()].ends.insert(pipe, end);
            self.due.insert((id, pipe));
        }
    }

    fn refuse(&mut self, from: SocketId, pipe: PipeId, to: &Endpoint) {
        self.note(from, format_args!("dials {to} and is refused"));
        let now = self.now;
        self[from].dial_failed(pipe, NetworkError::Refused, now);
    }

    /// Calls [`Session::turn`] for the session of the pipe `pipe` of the socket `socket`. If the call fails, ends the
    /// connection.
    fn turn(&mut self, socket_id: SocketId, pipe: PipeId) {
        let node = &mut self.nodes[socket_id.node().index()];
        let Some(SocketState { socket, ends }) = node.sockets.get_mut(socket_id.index()) else { return };
        let Some(end) = ends.get_mut(&pipe) else { return };
        self.turns += 1;
        let (id, side, was_ready) = (end.wire, end.side, end.ready);
        let other = self.wires[&id].end(side.other());
        let wire = self.wires.get_mut(&id).expect("a wire exists as long as its ends");
        let Self { dice, conditions, now, .. } = self;
        let now = *now;
        let mut stream = WireEnd { wire, side, now, entropy: dice, conditions, wake: false };
        let outcome = end.session.turn(&mut stream, &mut self.buffers, now, |link| socket.exchange(pipe, link));
        if stream.wake {
            self.due.insert(other);
        }
        end.ready = end.session.connection().peer().is_some();
        let (is_ready, timeout) = (end.ready, end.session.poll_timeout());
        self.touch(socket_id);
        if is_ready && !was_ready {
            self.note(socket_id, format_args!("is ready on {pipe:?}"));
        }
        match outcome {
            Ok(turn) => {
                if matches!(turn, Turn::Again | Turn::Background) {
                    self.due.insert((socket_id, pipe));
                }
                self.timers.set_or_clear((socket_id, Some(pipe)), timeout);
                self.arm(id);
            }
            Err(reason) => self.end(socket_id, pipe, &reason),
        }
    }

    /// Ends the connection of the pipe `pipe` at the socket `id`. The peer's session ends later, when it reads the end
    /// of the stream.
    fn end(&mut self, id: SocketId, pipe: PipeId, reason: &ConnectionError) {
        self.note(id, format_args!("ends {pipe:?}: {reason}"));
        let ends = &mut self.nodes[id.node().index()].sockets[id.index()].ends;
        let end = ends.remove(&pipe).expect("the end exists until it is removed here");
        // A real TCP socket that is closed with unread input sends a reset instead of a FIN. ZMTP does not distinguish the two.
        let at = self.now + self.conditions.delay(&mut self.dice);
        self.wires.get_mut(&end.wire).expect("a wire exists as long as its ends").tcp.close_write(end.side, at);
        self.leave(id, pipe, &end);
        let now = self.now;
        self[id].disconnected(pipe, end.session.into_connection(), reason, now);
    }

    /// Marks `end`, the end of a simulated connection at the socket `id`, as unused. Removes the connection (a
    /// [`Wire`]) if both of its ends are unused.
    pub(super) fn leave(&mut self, id: SocketId, pipe: PipeId, end: &End) {
        self.timers.clear((id, Some(pipe)));
        let wire = self.wires.get_mut(&end.wire).expect("a wire exists as long as its ends");
        wire.in_use[end.side as usize] = false;
        self.due.insert(wire.end(end.side.other()));
        if wire.in_use == [false; 2] {
            self.wires.remove(&end.wire);
        }
        self.arm(end.wire);
    }

    /// Updates the connections for which `select` returns true. Must be called after nodes were partitioned, frozen,
    /// crashed or restarted, after the end of these faults, and after a reset. Marks each selected connection as partitioned or
    /// not, and schedules a call of [`Session::turn`] for the sessions at both ends.
    pub(super) fn wake_wires(&mut self, select: impl Fn(&Wire) -> bool) {
        let selected: Vec<_> = self.wires.iter().filter(|(_, wire)| select(wire)).map(|(&id, _)| id).collect();
        for id in selected {
            let ends = self.wires[&id].ends();
            let is_healed = self.reach_each_other(ends[0].0.node(), ends[1].0.node());
            let tcp = &mut self.wires.get_mut(&id).expect("the wire was found above").tcp;
            if is_healed {
                tcp.heal();
            } else {
                tcp.partition();
            }
            self.due.extend(ends);
            self.arm(id);
        }
    }

    /// Updates the timers for the next arrival in both directions of the connection `id`: that of bytes, or that of an
    /// acknowledgement for which the sender waits.
    fn arm(&mut self, id: WireId) {
        let wire = self.wires.get(&id);
        for side in Side::BOTH {
            let used = |end: Side| wire.filter(|wire| wire.in_use[end as usize]);
            let bytes = used(side.other()).and_then(|wire| wire.tcp.next_arrival(side, self.now));
            let acknowledgement = used(side).and_then(|wire| wire.tcp.next_acknowledgement(side));
            self.arrivals.set_or_clear((id, side), earliest([bytes, acknowledgement]));
        }
    }
}

/// Returns true if a listener at the endpoint `at` accepts a connection to the endpoint `to`.
fn serves(at: &Endpoint, to: &Endpoint) -> bool {
    let (Endpoint::Tcp { host: own, port, .. }, Endpoint::Tcp { host, port: dialled, .. }) = (at, to) else {
        return at == to;
    };
    let any = *own == Host::Any || matches!(own, Host::Ip(ip) if ip.is_unspecified());
    port == dialled && at.resource() == to.resource() && (own == host || any)
}
