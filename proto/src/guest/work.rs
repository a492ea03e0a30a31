//! The work of a [`Guest`]: actions of its sockets, expired timers, and turns of its streams.

use crate::address::{Endpoint, NetworkError};
use crate::guest::link::{Dial, Link, Owner, Stage, Turned};
use crate::guest::output::Queued;
use crate::guest::{Due, Guest, Key, Slot, SocketId, Target};
use crate::session::{Interest, Stream, Turn};
use crate::socket::{Action, PipeId};
use alloc::boxed::Box;
use core::net::SocketAddr;

/// Number of turns that a stream may take in a round.
const PASSES: u8 = 2;

impl<S: Stream, L> Guest<S, L> {
    /// Does one step of the work that is left. Returns false at the end of a round: the work is done, or all that was ready has
    /// had its turn, and the loop should look for events before the next round.
    pub(super) fn work(&mut self) -> bool {
        if self.decided.take() {
            for key in core::mem::take(&mut self.undecided) {
                self.continue_link(key);
            }
        } else if let Some(&id) = self.changed.first() {
            self.execute_action(id);
        } else if let Some(due) = self.deadlines.pop_due(self.now) {
            match due {
                Due::Socket(id) => {
                    if let Some(member) = self.sockets.get_mut(&id) {
                        member.socket.handle_timeout(self.now);
                        self.changed.insert(id);
                    }
                }
                // Input that is already there shows that the peer is alive, so an expired timer must read it.
                Due::Link(key) => self.turn(key, true),
            }
        } else if let Some(key) = self.take_ready() {
            let reads = matches!(self.slots.get(key), Some(Slot::Link(link)) if !link.is_in_background);
            self.turn(key, reads);
        } else if let Some(key) = self.take_background() {
            self.turn(key, true);
        } else if let Some(key) = self.take_accepting() {
            self.queued.push_back(Queued::Accept(key));
        } else {
            // The second pass sends what the application has answered to the input of the first.
            let continues = self.passes < PASSES && !self.ready.is_empty();
            (self.passes, self.round) = if continues { (self.passes + 1, self.ready.len()) } else { (0, 0) };
            (self.may_work_in_background, self.may_accept) = (!continues, !continues);
            return continues;
        }
        true
    }

    fn take_ready(&mut self) -> Option<Key> {
        self.round = self.round.checked_sub(1)?;
        let key = self.ready.pop_front()?;
        if let Some(link) = self.slots.link_mut(key) {
            link.is_ready = false;
        }
        Some(key)
    }

    fn take_background(&mut self) -> Option<Key> {
        if !core::mem::replace(&mut self.may_work_in_background, false) {
            return None;
        }
        // Streams that have ended take no turn, and must not delay the others.
        while let Some(key) = self.background.pop_front() {
            if let Some(link) = self.slots.link_mut(key) {
                link.is_in_background = false;
                return Some(key);
            }
        }
        None
    }

    fn take_accepting(&mut self) -> Option<Key> {
        if !core::mem::replace(&mut self.may_accept, false) {
            return None;
        }
        while let Some(key) = self.accepting.pop_front() {
            if let Some(listener) = self.slots.listener_mut(key) {
                listener.is_accepting = false;
                return Some(key);
            }
        }
        None
    }

    /// Lets a stream take a turn, in this round if nothing else is ready.
    pub(super) fn continue_link(&mut self, key: Key) {
        if let Some(link) = self.slots.link_mut(key)
            && !core::mem::replace(&mut link.is_ready, true)
        {
            self.ready.push_back(key);
        }
    }

    /// Accepts a connection of a listener, when its turn has come.
    pub(super) fn continue_listener(&mut self, key: Key) {
        if let Some(listener) = self.slots.listener_mut(key)
            && !core::mem::replace(&mut listener.is_accepting, true)
        {
            self.accepting.push_back(key);
        }
    }

    /// Adds the link of a pipe.
    pub(super) fn insert(&mut self, socket: SocketId, pipe: PipeId, stage: Stage<S>) -> Key {
        let key = self.slots.insert(Slot::Link(Link::new(Owner::Pipe(socket, pipe), stage)));
        self.set_link(socket, pipe, key);
        key
    }

    /// Stores the key of the link of a pipe. If there is another link of this pipe, or of an earlier pipe with the same index, it
    /// ends: the loop has answered late, or the action that ends it is still queued.
    pub(super) fn set_link(&mut self, socket: SocketId, pipe: PipeId, key: Key) {
        let Some(member) = self.sockets.get_mut(&socket) else { return };
        if member.links.len() <= pipe.index() {
            member.links.resize(pipe.index() + 1, None);
        }
        if let Some(before) = member.links[pipe.index()].replace(key) {
            self.end(before);
        }
    }

    /// Executes the next action of a socket. If it has none, stores its deadline.
    fn execute_action(&mut self, id: SocketId) {
        let Some(member) = self.sockets.get_mut(&id) else {
            self.changed.remove(&id);
            return;
        };
        let Some(action) = member.socket.poll_action() else {
            self.deadlines.set_or_clear(Due::Socket(id), member.socket.poll_timeout());
            self.changed.remove(&id);
            return;
        };
        match action {
            Action::Listen(listener, endpoint) => self.listen(id, listener, endpoint),
            Action::Accept(listener) => {
                if let Some(&key) = member.listeners.get(&listener) {
                    self.resume_accepting(key);
                }
            }
            Action::CloseListener(listener) => self.leave(id, listener),
            // The application may have cancelled the dial, and an accepted connection may have the index of this pipe now.
            Action::Dial(pipe, _) if !member.socket.is_dialling(pipe) => {}
            Action::Dial(pipe, endpoint) => {
                let dial = Dial::new(endpoint);
                let key = self.insert(id, pipe, Stage::Dialling(Box::new(dial)));
                self.begin_dial(key);
            }
            Action::CancelDial(pipe) => self.remove_link(id, pipe),
            Action::Service(pipe) => {
                if let Some(key) = self.link_of(id, pipe) {
                    self.continue_link(key);
                }
            }
            Action::Readable => self.queued.push_back(Queued::Readable(id)),
            Action::Writable => self.queued.push_back(Queued::Writable(id)),
        }
    }

    /// Begins a dial: with the address in its endpoint, or with the request to resolve the name in it.
    fn begin_dial(&mut self, key: Key) {
        let Some(link) = self.slots.link_mut(key) else { return };
        let Some(dial) = link.dialling() else { return };
        match &dial.endpoint {
            Endpoint::Tcp { .. } => match dial.endpoint.socket_addr() {
                Some(address) => self.add_targets(key, [address]),
                None => self.queued.push_back(Queued::Resolve(key)),
            },
            Endpoint::Ipc(name) => {
                dial.targets.push_back(Target::Ipc(name.clone()));
                self.queued.push_back(Queued::Dial(key));
            }
            Endpoint::Inproc(_) => self.attempt_failed(key, NetworkError::Unsupported),
        }
    }

    /// Stores the addresses of a dial, and requests an attempt to the first.
    pub(super) fn add_targets(&mut self, key: Key, addresses: impl IntoIterator<Item = SocketAddr>) {
        let Some(link) = self.slots.link_mut(key) else { return };
        let Some(dial) = link.dialling().filter(|dial| dial.targets.is_empty()) else { return };
        dial.targets = dial.endpoint.routes(addresses).into_iter().map(Target::Tcp).collect();
        if dial.targets.is_empty() {
            self.attempt_failed(key, NetworkError::UnknownHost);
        } else {
            self.queued.push_back(Queued::Dial(key));
        }
    }

    /// Ends a connection attempt, and requests the next. If no address is left, the dial has failed.
    pub(super) fn attempt_failed(&mut self, key: Key, error: NetworkError) {
        let Some(link) = self.slots.link_mut(key) else { return };
        let Some(dial) = link.dialling() else { return };
        dial.targets.pop_front();
        if !dial.targets.is_empty() {
            self.queued.push_back(Queued::Dial(key));
            return;
        }
        let (owner, now) = (link.owner.clone(), self.now);
        self.end(key);
        if let Owner::Pipe(socket, pipe) = owner {
            self.call(socket, |socket| socket.dial_failed(pipe, error, now));
        }
    }

    /// Returns the stream of a connection attempt to the loop. Returns the key of the next attempt: late events of this stream must
    /// not affect the next.
    fn end_attempt(&mut self, key: Key, stream: S) -> Key {
        self.queued.push_back(Queued::Gone(key, stream));
        let Some(Slot::Link(mut link)) = self.slots.remove(key) else { return key };
        self.deadlines.clear(Due::Link(key));
        (link.is_ready, link.watched) = (false, None);
        let owner = link.owner.clone();
        let next = self.slots.insert(Slot::Link(link));
        if let Owner::Pipe(socket, pipe) = owner
            && let Some(current) = self.sockets.get_mut(&socket).and_then(|member| member.links.get_mut(pipe.index()))
        {
            *current = Some(next);
        }
        next
    }

    fn link_of(&self, socket: SocketId, pipe: PipeId) -> Option<Key> {
        let key = (*self.sockets.get(&socket)?.links.get(pipe.index())?)?;
        let is_of = |link: &Link<S>| matches!(link.owner, Owner::Pipe(_, other) if other == pipe);
        matches!(self.slots.get(key), Some(Slot::Link(link)) if is_of(link)).then_some(key)
    }

    fn remove_link(&mut self, socket: SocketId, pipe: PipeId) {
        if let Some(key) = self.link_of(socket, pipe) {
            self.end(key);
        }
    }

    /// Removes a link, and what refers to it.
    pub(super) fn end(&mut self, key: Key) {
        let Some(Slot::Link(link)) = self.slots.remove(key) else { return };
        self.deadlines.clear(Due::Link(key));
        self.undecided.remove(&key);
        if let Owner::Pipe(socket, pipe) = link.owner
            && let Some(current) = self.sockets.get_mut(&socket).and_then(|member| member.links.get_mut(pipe.index()))
        {
            current.take_if(|current| *current == key);
        }
        self.queued.extend(link.into_stream().map(|stream| Queued::Gone(key, stream)));
    }

    /// Lets a stream take a turn. Reads from it only if `reads` is true.
    fn turn(&mut self, key: Key, reads: bool) {
        let Some(link) = self.slots.link_mut(key) else { return };
        let socket = match link.owner {
            Owner::Pipe(id, _) => {
                self.changed.insert(id);
                self.sockets.get_mut(&id).map(|member| &mut member.socket)
            }
            Owner::Port(..) | Owner::Rejected => None,
        };
        match link.turn(socket, &mut self.buffers, &self.waker, reads, self.now) {
            Turned::Failed(stream, error) => {
                let next = self.end_attempt(key, stream);
                self.attempt_failed(next, error);
            }
            Turned::Postponed(stream) => {
                let next = self.end_attempt(key, stream);
                if let Some(dial) = self.slots.link_mut(next).and_then(Link::dialling) {
                    dial.targets.rotate_left(1);
                    dial.postponed += 1;
                    self.queued.push_back(Queued::Dial(next));
                }
            }
            Turned::Continues(turn) => {
                self.deadlines.set_or_clear(Due::Link(key), link.deadline());
                if link.awaits_decision() {
                    self.undecided.insert(key);
                } else {
                    self.undecided.remove(&key);
                }
                self.report(key, turn);
                self.assign(key);
            }
            Turned::Ended(stream) => {
                self.end(key);
                self.queued.extend(stream.map(|stream| Queued::Gone(key, stream)));
            }
            Turned::Unassigned(stream, reason) => {
                if let Owner::Port(at, from) = link.owner.clone() {
                    self.reject(key, at, &from, &reason);
                }
                self.end(key);
                self.queued.push_back(Queued::Gone(key, stream));
            }
        }
    }

    /// Reports the outcome of a turn to the loop, and queues the next turn.
    fn report(&mut self, key: Key, turn: Turn) {
        let Some(link) = self.slots.link_mut(key) else { return };
        if link.stream().is_none() {
            return;
        }
        let interest = match turn {
            Turn::Wait(interest) => interest,
            Turn::Again | Turn::Background => link.watched.unwrap_or(Interest::READ),
        };
        match link.watched.replace(interest) {
            None => self.queued.push_back(Queued::Register(key, interest)),
            Some(watched) if watched != interest => self.queued.push_back(Queued::Interest(key, interest)),
            Some(_) => {}
        }
        self.queued.push_back(Queued::Turned(key));
        if turn == Turn::Background && !core::mem::replace(&mut link.is_in_background, true) {
            self.background.push_back(key);
        }
        if turn == Turn::Again {
            self.continue_link(key);
        }
    }
}
