//! Faults of a simulated network ([`Net`]): partitions, resets, and crashes. Each affects all sockets of a node.

use super::{Net, NodeId, Side};
use crate::kind::Kind;
use crate::socket::Options;
use core::fmt;

impl Net {
    /// Resets every connection of a node. Both sides get the error at once.
    pub fn reset_connections(&mut self, node: NodeId) {
        self.note_node(node, format_args!("is cut"));
        for wire in self.wires.values_mut().filter(|wire| wire.leads_to(node)) {
            for side in Side::BOTH {
                wire.tcp.cut(side);
            }
        }
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Isolates a node from the network without an error: bytes to and from its sockets are held back, and connection
    /// attempts to it time out. Its timers, and connections between its own sockets, are not affected.
    pub fn freeze(&mut self, node: NodeId) {
        self.note_node(node, format_args!("is frozen"));
        self.nodes[node.index()].frozen = true;
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Reconnects a frozen node to the network, and delivers the bytes that were held back.
    pub fn thaw(&mut self, node: NodeId) {
        if core::mem::take(&mut self.nodes[node.index()].frozen) {
            self.note_node(node, format_args!("is thawed"));
            self.wake_wires(|wire| wire.leads_to(node));
        }
    }

    /// Stops the process of a node, as the signal `SIGSTOP` does: its application has no turn, and its sockets handle no
    /// bytes and no timers. Its system still stores and acknowledges bytes until the receive buffers are full. Connection
    /// attempts to the node time out.
    pub fn suspend(&mut self, node: NodeId) {
        self.note_node(node, format_args!("is suspended"));
        self.nodes[node.index()].suspended = true;
    }

    /// Continues the process of a suspended node. All expired timers of its sockets and its application are handled, and
    /// its bytes are received.
    pub fn resume(&mut self, node: NodeId) {
        if core::mem::take(&mut self.nodes[node.index()].suspended) {
            self.note_node(node, format_args!("is resumed"));
            self.touched.extend((0..self.nodes[node.index()].sockets.len()).map(|index| node.socket(index)));
            self.awake.insert(node);
            self.wake_wires(|wire| wire.leads_to(node));
        }
    }

    /// Partitions the network without an error: between each node of `some` and each node of `others`, bytes are held
    /// back and connection attempts time out.
    pub fn partition(&mut self, some: &[NodeId], others: &[NodeId]) {
        self.trace.note(self.now, format_args!("{some:?} and {others:?} cannot reach each other"));
        for &one in some {
            self.parted.extend(others.iter().flat_map(|&other| [(one, other), (other, one)]));
        }
        self.wake_wires(|_| true);
    }

    /// Ends all partitions of the network, and delivers the bytes that were held back.
    pub fn heal_partitions(&mut self) {
        if !self.parted.is_empty() {
            self.trace.note(self.now, format_args!("all can reach each other again"));
            self.parted.clear();
            self.wake_wires(|_| true);
        }
    }

    /// Ends a node as a power failure does: its application and all its sockets are lost, and its peers get no notice. Bytes
    /// to the node are lost, and connection attempts to it time out. When the node starts again, with
    /// [`start`](Self::start), or with [`restart`](Self::restart) if the test drives its socket, the connections of its
    /// former sockets are reset. A crash of a process alone, without its system, resets them at once: call `start`
    /// directly after `crash`. Does nothing if the node has crashed already.
    pub fn crash(&mut self, node: NodeId) {
        if !self.nodes[node.index()].down {
            self.note_node(node, format_args!("crashes"));
            self.lose(node);
            self.wake_wires(|wire| wire.leads_to(node));
        }
    }

    /// Ends the socket of a node as a crash would, and adds a new socket with these options to the node. The connections
    /// between the old socket and its peers are reset. A peer that a partition separates from the node detects the reset
    /// only when the partition ends.
    ///
    /// # Panics
    /// If the node has a program; [`crash`](Self::crash) and [`start`](Self::start) restart it.
    pub fn restart<T: Kind>(&mut self, node: NodeId, options: Options<T>) {
        assert!(!self.nodes[node.index()].has_program(), "a node with a program is restarted with `crash` and `start`");
        self.note_node(node, format_args!("is restarted"));
        let socket = self.new_socket(options);
        self.lose(node);
        self.nodes[node.index()].sockets.push(socket);
        self.set_up(node);
        self.touch(node.into());
    }

    /// Drops the application and the sockets of a node, and cuts their connections at this side.
    fn lose(&mut self, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        (state.down, state.frozen, state.suspended) = (true, false, false);
        state.end_application();
        self.alarms.clear(node);
        for (index, socket) in core::mem::take(&mut state.sockets).into_iter().enumerate() {
            let id = node.socket(index);
            self.timers.clear((id, None));
            for (pipe, end) in socket.ends {
                self.wires.get_mut(&end.wire).expect("a wire exists as long as its ends").tcp.cut(end.side);
                self.leave(id, pipe, &end);
            }
        }
    }

    /// Reconnects a node to the network after a crash. Nothing listens at its addresses any more.
    pub(super) fn set_up(&mut self, node: NodeId) {
        self.nodes[node.index()].down = false;
        self.listeners.retain(|(socket, _), _| socket.node() != node);
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Returns true if the processes of two nodes can exchange bytes: both are running, and none of the faults of this network
    /// separates them.
    pub fn can_reach(&self, one: NodeId, other: NodeId) -> bool {
        let is_suspended = [one, other].iter().any(|node| self.nodes[node.index()].suspended);
        !is_suspended && self.reach_each_other(one, other)
    }

    pub(super) fn reach_each_other(&self, one: NodeId, other: NodeId) -> bool {
        let [first, second] = [one, other].map(|node| &self.nodes[node.index()]);
        let is_isolated = first.frozen || second.frozen || self.parted.contains(&(one, other));
        !first.down && !second.down && (one == other || !is_isolated)
    }

    pub(super) fn note_node(&mut self, node: NodeId, what: fmt::Arguments<'_>) {
        let state = &self.nodes[node.index()];
        if state.has_program() || state.sockets.is_empty() {
            self.trace.note(self.now, format_args!("{node:?} {what}"));
        } else {
            self.note(node.into(), what);
        }
    }
}
