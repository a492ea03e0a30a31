//! A socket in a third-party event loop: the echo server of `embed_poll`, on `calloop`. Unlike the supported runtimes, `calloop` has
//! no futures: it calls callbacks, and passes the same `&mut` state to each of them, here the guest.

use calloop::{EventLoop, Interest, Mode, PostAction, generic::Generic};
use sansmq::os::guest::{SystemGuest, dial, listen, resolve};
use sansmq::proto::guest::Output;
use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::{Options, kind::Router};
use std::{collections::BTreeMap, error::Error, time};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let mut server = Socket::new(Options::<Router>::new(), SystemEntropy);
    server.bind("tcp://127.0.0.1:5555".parse()?);
    let echo = |server: &mut Socket, now: Instant| {
        while let Ok(request) = server.recv() {
            let last = request.body() == "bye";
            let _ = server.send(request); // a disconnected client does not end the server
            if last {
                server.close(now);
            }
        }
        Ok(())
    };
    drive(server, echo).map(drop)
}

/// Drives a socket until it is closed, and returns it. Calls `application` before each step.
pub(crate) fn drive(socket: Socket, mut application: impl FnMut(&mut Socket, Instant) -> Outcome) -> Outcome<Socket> {
    let (start, mut events) = (time::Instant::now(), EventLoop::<SystemGuest>::try_new()?);
    let (mut guest, handle, mut tokens) = (SystemGuest::new(), events.handle(), BTreeMap::new());
    let id = guest.add(socket);
    loop {
        let now = Instant::from_elapsed(start.elapsed());
        application(guest.socket_mut(id).ok_or("the socket is gone")?, now)?;
        if let Some(socket) = guest.remove(id) {
            return Ok(socket); // it is closed
        }
        match guest.poll(now) {
            Output::Listen(key, endpoint) => guest.listening(key, listen(&endpoint, &guest.transport(key))),
            Output::Accept(key, listener) => {
                let accepted = listener.accept();
                guest.accepted(key, accepted);
            }
            Output::Resolve(key, endpoint) => guest.resolved(key, resolve(&endpoint)),
            Output::Dial(key, target) => guest.dialled(key, dial(&target, &guest.transport(key))),
            Output::Register(key, source, _) => {
                let descriptor = source.descriptor().try_clone_to_owned()?; // the event loop owns its sources
                let source = Generic::new(descriptor, Interest::BOTH, Mode::Edge);
                let ready = move |_, _: &mut _, guest: &mut SystemGuest| {
                    guest.ready(key);
                    Ok(PostAction::Continue)
                };
                tokens.insert(key, handle.insert_source(source, ready).map_err(|failed| failed.error)?);
            }
            Output::Gone(key, _) | Output::StopListening(key, _) => {
                tokens.remove(&key).into_iter().for_each(|token| handle.remove(token));
            }
            Output::Wait(deadline) => events.dispatch(deadline.map(|it| it.at.since(now)), &mut guest)?,
            _ => {} // edges need no interest
        }
    }
}
