//! [`HandlerOf`]: the ZAP handler of a context, and a socket for each question to it (RFC 27).

use crate::context::{Context, WeakContext};
use crate::handle::{Application, Handle};
use crate::state::{Shared, State};
use crate::trace::Trace;
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

/// Whoever is bound to [`ENDPOINT`](sansmq_proto::security::zap::ENDPOINT) in a context at the moment of a question.
pub(crate) struct HandlerOf(WeakContext);

impl HandlerOf {
    /// Its sockets keep the context; their settings, which a port keeps too, must not.
    pub(crate) fn new(context: &Context) -> Self {
        Self(context.downgrade())
    }
}

impl ZapHandler for HandlerOf {
    fn is_bound(&self) -> bool {
        self.0.upgrade().is_some_and(|context| context.bound(NAME).is_some())
    }

    fn ask(&self, auth: AuthRequest) -> Option<AuthOutcome> {
        let context = self.0.upgrade()?;
        let handler = context.bound(NAME)?;
        let failure = AuthReply::Refuse(AuthStatus::InternalError);
        let answers = |state: &mut State| state.socket.socket_type().can_handle_zap();
        if handler.with(answers) != Some(true) {
            return Some(AuthOutcome::Now(failure));
        }
        let reply = async move { ask(&context, auth).await.unwrap_or(failure) };
        Some(AuthOutcome::Later(Box::pin(reply)))
    }
}

/// Asks by a socket of its own, as libzmq does: a handler that mixes replies up can only answer the wrong question, which is
/// noticed, and a question that is dropped takes everything with it. `None`: there is no answer, or it makes no sense.
async fn ask(context: &Context, auth: AuthRequest) -> Option<AuthReply> {
    let request = Request { id: context.number_question().to_string().into(), auth };
    let asker = asker(context);
    asker.connect(Endpoint::Inproc(NAME.to_owned())).ok()?;
    asker.try_send(Envelope::new().seal(request.to_message())).ok()?;
    let (envelope, reply) = Envelope::parse(reply(&asker).await?).ok()?;
    if envelope == Envelope::new() { request.read_reply(&reply).ok() } else { None }
}

/// A socket that needs no driver, for what it does needs neither tasks nor time.
fn asker(context: &Context) -> Handle<Dealer> {
    let options = Options::<Dealer>::new().linger(Duration::ZERO).no_reconnect();
    let socket = Socket::new(options, SystemEntropy);
    let shared = Shared::new(socket, context.clone(), Trace::off(), Box::new(|| Instant::ORIGIN));
    Handle { application: Arc::new(Application(shared)), kind: PhantomData }
}

/// What the handler says. `None`: it has gone without a word.
async fn reply(asker: &Handle<Dealer>) -> Option<Message> {
    let look = |state: &mut State| match state.socket.recv() {
        Ok(message) => Poll::Ready(Some(message)),
        Err(_) if state.socket.ready_peers() == 0 => Poll::Ready(None),
        Err(_) => Poll::Pending,
    };
    let mut arrival = WaiterKey::new(asker.shared(), |state| &mut state.receivers);
    let mut departure = WaiterKey::new(asker.shared(), |state| &mut state.watchers);
    poll_fn(|cx| match arrival.wait(cx, look) {
        Poll::Pending => departure.wait(cx, look),
        ready @ Poll::Ready(_) => ready,
    })
    .await
}

/// What [`ENDPOINT`](sansmq_proto::security::zap::ENDPOINT) names.
const NAME: &str = "zeromq.zap.01";

impl fmt::Debug for HandlerOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerOf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansmq_proto::security::zap;

    #[test]
    fn the_name_is_that_of_the_endpoint() {
        assert_eq!(zap::ENDPOINT.parse(), Ok(Endpoint::Inproc(NAME.into())));
    }
}
