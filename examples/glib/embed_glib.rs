//! A socket in the main loop of glib, such as that of a GTK program. The loop reports an event until it is handled, so each stream
//! has a source for the events that it waits for. The sources only report keys; the guest is polled after each iteration.

use glib::ControlFlow::{Break, Continue};
use glib::source::{timeout_source_new as timeout, unix_fd_source_new as descriptor};
use glib::{IOCondition, MainContext, Priority, Source};
use sansmq::os::guest::{SystemGuest, dial, listen, resolve};
use sansmq::proto::guest::{Key, Output};
use sansmq::proto::{Instant, Interest, Socket, SystemEntropy};
use sansmq::{Options, kind::Router};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::{collections::BTreeMap, error::Error, sync::mpsc, time};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The timers of glib count whole milliseconds.
const ROUND_UP: time::Duration = time::Duration::from_nanos(999_999);

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
    let (start, context, mut guest) = (time::Instant::now(), MainContext::ref_thread_default(), SystemGuest::new());
    let ((sender, ready), mut table) = (mpsc::channel(), BTreeMap::new());
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
            Output::Register(key, stream, interest) | Output::Interest(key, stream, interest) => {
                table.remove(&key).iter().for_each(Source::destroy);
                let source = watch(key, stream.descriptor(), interest, sender.clone());
                table.extend(source.inspect(|it| _ = it.attach(Some(&context))).map(|it| (key, it)));
            }
            Output::Gone(key, _) | Output::StopListening(key, _) => table.remove(&key).iter().for_each(Source::destroy),
            Output::Wait(deadline) => {
                let timer = deadline.map(|it| timeout(it.at.since(now) + ROUND_UP, None, Priority::DEFAULT, || Break));
                timer.iter().for_each(|timer| _ = timer.attach(Some(&context)));
                context.iteration(true); // dispatches the other sources of the program too
                timer.iter().for_each(Source::destroy);
                ready.try_iter().for_each(|key| guest.ready(key));
            }
            _ => {} // the guest is polled after each iteration
        }
    }
}

/// Returns a source that reports the key of a stream or listener when it is ready.
fn watch(key: Key, fd: BorrowedFd<'_>, interest: Interest, sender: mpsc::Sender<Key>) -> Option<Source> {
    let condition = interest.flags(IOCondition::IN, IOCondition::OUT)?;
    let report = move |_, _| sender.send(key).map_or(Break, |()| Continue);
    Some(descriptor(fd.as_raw_fd(), condition, None, Priority::DEFAULT, report))
}
