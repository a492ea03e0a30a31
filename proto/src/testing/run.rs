//! Execution of a simulated network ([`Net`]): runs the work that is due at the current time. Handles only the sockets
//! that were used since they were last handled, and the sockets with a timeout, a connection or arriving bytes that are
//! due.

use super::wire::{Wire, WireEnd, WireId};
use super::{End, Net, Node, NodeId, Side};
use crate::address::{Endpoint, Host, NetworkError};
use crate::connection::{ConnectionError, Link};
use crate::session::{Session, Turn};
use crate::socket::{Action, PipeId};
use crate::time::earliest;
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
            let visited = self.nodes.iter().map(|node| 1 + node.socket.assert_held()).sum::<usize>();
            self.next_check = self.turns + visited as u64;
        }
    }

    /// Runs one round of the work that is due at the current time. Returns false if no work was due.
    fn step(&mut self) -> bool {
        let mut busy = self.act();
        while let Some((node, pipe)) = self.timers.pop_due(self.now) {
            if self.nodes[node.0].suspended {
                continue;
            }
            if let Some(pipe) = pipe {
                self.due.insert((node, pipe));
            } else {
                self.nodes[node.0].socket.handle_timeout(self.now);
                self.touched.insert(node);
                busy = true;
            }
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
        for (node, pipe) in core::mem::take(&mut self.due) {
            if !self.nodes[node.0].suspended {
                self.turn(node, pipe);
                busy = true;
            }
        }
        busy
    }

    /// Executes the pending actions of the sockets, such as dials, and updates the sockets' timeouts. Returns false if
    /// there were no actions.
    pub(super) fn act(&mut self) -> bool {
        let mut busy = false;
        while let Some(node) = self.touched.pop_first() {
            while let Some(action) = self.nodes[node.0].socket.poll_action() {
                busy = true;
                self.execute(node, action);
            }
            let timeout = self.nodes[node.0].socket.poll_timeout();
            self.timers.set_or_clear((node, None), timeout);
        }
        busy
    }

    fn execute(&mut self, node: NodeId, action: Action) {
        match action {
            Action::Listen(id, endpoint) => {
                self.note(node, format_args!("listens at {endpoint}"));
                self.listeners.insert((node, id), endpoint.clone());
                self.nodes[node.0].socket.listening(id, endpoint);
            }
            Action::CloseListener(id) => {
                if let Some(endpoint) = self.listeners.remove(&(node, id)) {
                    self.note(node, format_args!("no longer listens at {endpoint}"));
                }
            }
            Action::Dial(pipe, endpoint) => self.dial(node, pipe, &endpoint),
            Action::Service(pipe) => {
                self.due.insert((node, pipe));
            }
            Action::Accept(_) | Action::CancelDial(_) | Action::Readable | Action::Writable => {}
        }
    }

    fn dial(&mut self, from: NodeId, pipe: PipeId, to: &Endpoint) {
        let Some(&(server, id)) = self.listeners.iter().find(|(_, at)| serves(at, to)).map(|(listener, _)| listener)
        else {
            self.refuse(from, pipe, to);
            return;
        };
        if !self.reach_each_other(from, server) || self.nodes[server.0].suspended {
            self.note(from, format_args!("dials {to} and gets no reply"));
            return;
        }
        let name =
            Endpoint::Tcp { host: Host::Name(format!("node-{}", from.0)), port: 1, source: None, resource: None };
        // The listener may be closed, with its action still queued; or a limit of peers is reached.
        let Some((accepted, connection)) = self.nodes[server.0].socket.accepted(id, name, self.now) else {
            self.refuse(from, pipe, to);
            return;
        };
        self.touched.extend([from, server]);
        let Some(dialled) = self.nodes[from.0].socket.connected(pipe, self.now) else {
            self.nodes[server.0].socket.disconnected(accepted, connection, &ConnectionError::PeerClosed, self.now);
            return;
        };
        self.note(from, format_args!("dials {to} for {pipe:?} and is accepted as {accepted:?} of {server:?}"));
        let ends = [(from, pipe), (server, accepted)];
        let wire = self.next_wire.next();
        self.wires.insert(wire, Wire::between(ends, self.conditions.link));
        for ((node, pipe), (side, connection)) in
            ends.into_iter().zip([(Side::Client, dialled), (Side::Server, connection)])
        {
            let end = End { session: Session::new(connection), wire, side, ready: false };
            self.nodes[node.0].ends.insert(pipe, end);
            self.due.insert((node, pipe));
        }
    }

    fn refuse(&mut self, from: NodeId, pipe: PipeId, to: &Endpoint) {
        self.note(from, format_args!("dials {to} and is refused"));
        self.nodes[from.0].socket.dial_failed(pipe, NetworkError::Refused, self.now);
        self.touched.insert(from);
    }

    /// Calls [`Session::turn`] for the session of the pipe `pipe` of the socket `node`. If the call fails, ends the
    /// connection.
    fn turn(&mut self, node: NodeId, pipe: PipeId) {
        let Some(end) = self.nodes[node.0].ends.get(&pipe) else { return };
        self.turns += 1;
        let (id, side, was_ready) = (end.wire, end.side, end.ready);
        let other = self.wires[&id].end(side.other());
        let Node { socket, ends, .. } = &mut self.nodes[node.0];
        let end = ends.get_mut(&pipe).expect("the end was found above");
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
        self.touched.insert(node);
        if is_ready && !was_ready {
            self.note(node, format_args!("is ready on {pipe:?}"));
        }
        match outcome {
            Ok(turn) => {
                if matches!(turn, Turn::Again | Turn::Background) {
                    self.due.insert((node, pipe));
                }
                self.timers.set_or_clear((node, Some(pipe)), timeout);
                self.arm(id);
            }
            Err(reason) => self.end(node, pipe, &reason),
        }
    }

    /// Ends the connection of the pipe `pipe` at the socket `node`. The peer's session ends later, when it reads the
    /// end of the stream.
    fn end(&mut self, node: NodeId, pipe: PipeId, reason: &ConnectionError) {
        self.note(node, format_args!("ends {pipe:?}: {reason}"));
        let end = self.nodes[node.0].ends.remove(&pipe).expect("the end exists until it is removed here");
        // A real TCP socket that is closed with unread input sends a reset instead of a FIN. ZMTP does not distinguish the two.
        let at = self.now + self.conditions.delay(&mut self.dice);
        self.wires.get_mut(&end.wire).expect("a wire exists as long as its ends").tcp.close_write(end.side, at);
        self.leave(node, pipe, &end);
        self.nodes[node.0].socket.disconnected(pipe, end.session.into_connection(), reason, self.now);
    }

    /// Marks `end`, the end of a simulated connection at the socket `node`, as unused. Removes the connection (a
    /// [`Wire`]) if both of its ends are unused.
    pub(super) fn leave(&mut self, node: NodeId, pipe: PipeId, end: &End) {
        self.timers.clear((node, Some(pipe)));
        let wire = self.wires.get_mut(&end.wire).expect("a wire exists as long as its ends");
        wire.in_use[end.side as usize] = false;
        self.due.insert(wire.end(end.side.other()));
        if wire.in_use == [false; 2] {
            self.wires.remove(&end.wire);
        }
        self.arm(end.wire);
    }

    /// Updates the connections for which `select` returns true. Must be called after sockets were partitioned, frozen
    /// or restarted, after the end of these faults, and after a reset. Marks each selected connection as partitioned or
    /// not, and schedules a call of [`Session::turn`] for the sessions at both ends.
    pub(super) fn wake_wires(&mut self, select: impl Fn(&Wire) -> bool) {
        let selected: Vec<_> = self.wires.iter().filter(|(_, wire)| select(wire)).map(|(&id, _)| id).collect();
        for id in selected {
            let ends = self.wires[&id].ends();
            let is_healed = self.reach_each_other(ends[0].0, ends[1].0);
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

    fn reach_each_other(&self, one: NodeId, other: NodeId) -> bool {
        !self.nodes[one.0].frozen && !self.nodes[other.0].frozen && !self.parted.contains(&(one, other))
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
