//! [`Control`]: the control socket of a proxy, which receives commands such as `PAUSE`.

use crate::handle::Handle;
use crate::proxy_control::ProxyControl;
use crate::state::{Shared, State};
use crate::turn::TurnKey;
use core::task::{Context, Poll};
use sansmq_proto::{Frame, Message, SocketType};
use std::sync::Arc;

/// Control socket of a proxy while the proxy runs; see [`Proxy::control`](crate::Proxy::control).
pub(crate) struct Control<'a> {
    socket: &'a Handle,
    commands: TurnKey<&'a Arc<Shared>>,
}

impl<'a> Control<'a> {
    pub(crate) fn new(socket: &'a Handle) -> Self {
        Self { socket, commands: TurnKey::new(socket.shared()).without_budget() }
    }

    /// Executes the commands that the control socket has received, and sends the replies. `control` is the value with
    /// which each command changes the state of the proxy or reads its statistics. Returns `Pending` when the control
    /// socket has no more commands. Returns `Ready` after [`BURST`] commands; then more commands may be queued.
    pub(crate) fn execute(&mut self, cx: &mut Context<'_>, control: &ProxyControl) -> Poll<()> {
        for _ in 0..BURST {
            let Poll::Ready((command, socket_type)) = self.commands.receive(cx, take) else {
                return Poll::Pending;
            };
            let must_answer = socket_type.must_reply();
            let answer = control.command(&command).or_else(|| must_answer.then(|| Frame::EMPTY.into()));
            if let Some(answer) = answer {
                // A controller that does not read the replies must not block the proxy, so the reply may be dropped.
                let _ = self.socket.try_send(answer);
            }
        }
        Poll::Ready(())
    }
}

fn take(state: &mut State) -> Poll<(Message, SocketType)> {
    match state.socket.recv() {
        Ok(command) => Poll::Ready((command, state.socket.socket_type())),
        // The proxy also continues without commands if the socket is closed or out of turn.
        Err(_) => Poll::Pending,
    }
}

/// Maximum number of commands that a proxy executes each time its future is polled.
const BURST: usize = 10;
