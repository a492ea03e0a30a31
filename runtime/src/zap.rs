//! [`ContextZapHandler`]: sends the authentication requests of all sockets in a context to the ZAP handler of the
//! context (RFC 27). Each request has a socket of its own.

use crate::budget::Budget;
use crate::context::{Context, WeakContext};
use crate::handle::{Application, Handle};
use crate::process::ProcessId;
use crate::state::{Shared, State};
use crate::trace::Trace;
use crate::turn::TurnKey;
use crate::waiters::WaiterKey;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::Poll;
use core::time::Duration;
use sansmq_proto::kind::Dealer;
use sansmq_proto::message::Envelope;
use sansmq_proto::security::zap::Request;
use sansmq_proto::security::{AuthOutcome, AuthReply, AuthRequest, AuthStatus, ZapHandler};
use sansmq_proto::{Endpoint, Instant, Message, Options, Socket, SystemEntropy};
use std::sync::Arc;

/// ZAP handler of a context: the socket that is bound to [`ENDPOINT`](sansmq_proto::security::zap::ENDPOINT) at the
/// time of a request.
pub(crate) struct ContextZapHandler(WeakContext);

impl ContextZapHandler {
    pub(crate) fn new(context: &Context) -> Self {
        // A weak reference, because the context owns ports, and a port owns the settings that contain this handler.
        Self(context.downgrade())
    }
}

impl ZapHandler for ContextZapHandler {
    fn is_bound(&self) -> bool {
        self.0.upgrade().is_some_and(|context| context.bound(NAME).is_some())
    }

    fn authenticate(&self, auth: AuthRequest) -> Option<AuthOutcome> {
        let context = self.0.upgrade()?;
        let handler = context.bound(NAME)?;
        let answers = |state: &mut State| state.socket.socket_type().can_handle_zap();
        if handler.with(answers) != Some(true) {
            return Some(AuthOutcome::Now(AuthReply::Reject(AuthStatus::InternalError)));
        }
        let reply = async move { ask(&context, auth).await };
        Some(AuthOutcome::Later(Box::pin(reply)))
    }
}

/// Sends a request to the ZAP handler and waits for the reply. If the handler is unbound before it replies, the peer is
/// rejected with a temporary error: another handler may be bound. After an invalid reply, it is rejected with an internal
/// error.
// Each request has a socket of its own, as in libzmq. So a reply to another request is detected, and a request that is dropped
// leaves nothing behind.
async fn ask(context: &Context, auth: AuthRequest) -> AuthReply {
    let request = Request { id: context.number_question().to_string().into(), auth };
    let Some(reply) = exchange(context, &request).await else {
        return AuthReply::Reject(AuthStatus::TemporaryError);
    };
    match Envelope::parse(reply) {
        Ok((envelope, reply)) if envelope == Envelope::new() => request.read_reply(&reply).ok(),
        _ => None,
    }
    .unwrap_or(AuthReply::Reject(AuthStatus::InternalError))
}

/// Sends a request to the ZAP handler, and returns its reply; `None` if the handler is unbound before it replies.
async fn exchange(context: &Context, request: &Request) -> Option<Message> {
    let socket = request_socket(context);
    socket.connect(Endpoint::Inproc(NAME.to_owned())).ok()?;
    socket.try_send(Envelope::new().seal(request.to_message())).ok()?;
    reply(&socket).await
}

/// Creates the DEALER socket that sends one ZAP request and receives its reply.
fn request_socket(context: &Context) -> Handle<Dealer> {
    // The socket has no driver, because an `inproc` link needs neither tasks nor timers.
    let options = Options::<Dealer>::new().linger(Duration::ZERO).no_reconnect();
    let socket = Socket::new(options, SystemEntropy);
    let shared = Shared::new(
        socket,
        context.clone(),
        Trace::off(),
        Box::new(|| Instant::ORIGIN),
        Budget::PerSocket,
        ProcessId::current(),
    );
    Handle { application: Arc::new(Application(shared)), kind: PhantomData }
}

/// Waits until `socket` has received the reply of the ZAP handler, and returns the reply. Returns `None` if the handler
/// has disconnected.
async fn reply(socket: &Handle<Dealer>) -> Option<Message> {
    let check = |state: &mut State| match state.socket.recv() {
        Ok(message) => Poll::Ready(Some(message)),
        Err(_) if state.socket.ready_peers() == 0 => Poll::Ready(None),
        Err(_) => Poll::Pending,
    };
    let mut arrival = TurnKey::new(socket.shared());
    let mut departure = WaiterKey::new(socket.shared(), |state| &mut state.watchers);
    poll_fn(|cx| match arrival.receive(cx, check) {
        Poll::Pending => departure.wait(cx, check),
        ready @ Poll::Ready(_) => ready,
    })
    .await
}

/// `inproc` name to which a ZAP handler binds: the name of [`ENDPOINT`](sansmq_proto::security::zap::ENDPOINT).
const NAME: &str = "zeromq.zap.01";

impl fmt::Debug for ContextZapHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerOf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansmq_proto::security::zap;

    #[test]
    fn zap_name_matches_endpoint() {
        assert_eq!(zap::ENDPOINT.parse(), Ok(Endpoint::Inproc(NAME.into())));
    }
}
