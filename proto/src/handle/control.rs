//! [`Control`]: a socket whose messages steer a proxy.

use super::Handle;
use super::state::State;
use super::steer::Steer;
use super::waiters::Key;
use crate::message::{Frame, Message};
use crate::socket_type::SocketType;
use core::task::{Context, Poll};

/// The control socket of a proxy that runs.
pub(super) struct Control<'a> {
    socket: &'a Handle,
    commands: Key<'a>,
}

impl<'a> Control<'a> {
    pub(super) fn new(socket: &'a Handle) -> Self {
        Self { socket, commands: Key::new(socket.shared(), |state| &mut state.receivers) }
    }

    /// Does what it is told until there is nothing more, which is pending, or it was enough for one turn.
    pub(super) fn obey(&mut self, cx: &Context<'_>, steer: &Steer) -> Poll<()> {
        for _ in 0..BURST {
            let Poll::Ready((command, socket_type)) = self.commands.wait(cx, take) else {
                return Poll::Pending;
            };
            let must_answer = socket_type == SocketType::Rep;
            let answer = steer.command(&command).or_else(|| must_answer.then(|| Frame::EMPTY.into()));
            if let Some(answer) = answer {
                // Whoever asks and does not listen holds nobody up.
                let _ = self.socket.try_send(answer);
            }
        }
        Poll::Ready(())
    }
}

/// A closed socket has no commands, nor has one out of turn: the next will be as good.
fn take(state: &mut State) -> Poll<(Message, SocketType)> {
    match state.socket.recv() {
        Ok(command) => Poll::Ready((command, state.socket.socket_type())),
        Err(_) => Poll::Pending,
    }
}

/// Commands for each turn of the proxy.
const BURST: usize = 10;
