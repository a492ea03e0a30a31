//! [`Control`]: a socket whose messages control a proxy.

use crate::handle::Handle;
use crate::proxy_control::ProxyControl;
use crate::state::State;
use crate::waiters::WaiterKey;
use core::task::{Context, Poll};
use sansmq_proto::{Frame, Message, SocketType};

/// The control socket of a proxy that runs.
pub(crate) struct Control<'a> {
    socket: &'a Handle,
    commands: WaiterKey<'a>,
}

impl<'a> Control<'a> {
    pub(crate) fn new(socket: &'a Handle) -> Self {
        Self { socket, commands: WaiterKey::new(socket.shared(), |state| &mut state.receivers) }
    }

    /// Does what it is told until there is nothing more, which is pending, or it was enough for one turn.
    pub(crate) fn obey(&mut self, cx: &Context<'_>, control: &ProxyControl) -> Poll<()> {
        for _ in 0..BURST {
            let Poll::Ready((command, socket_type)) = self.commands.wait(cx, take) else {
                return Poll::Pending;
            };
            let must_answer = socket_type.must_reply();
            let answer = control.command(&command).or_else(|| must_answer.then(|| Frame::EMPTY.into()));
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
