//! PUB and its SUBs.

use super::frames::{Block, READ_BLOCK, Walk, framed};
use super::net::{Epoll, Listener, Stream, wait_writable, writable};
use super::push_pull::write_some;
use crate::common::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

pub(super) fn publish(a: &Args) -> ! {
    let listener = Listener::bind(&a.endpoint);
    let go = go_flag();
    mark("ready");
    let probe = framed(PROBE);
    let mut subscribers: Vec<Stream> = (0..a.peers)
        .map(|_| {
            let mut stream = listener.accept().expect("accept");
            stream.handshake("PUB");
            stream.put(&probe);
            stream
        })
        .collect();
    while !go.load(Ordering::Acquire) {
        std::thread::sleep(PAUSE);
        // Behind a proxy, the first probe may be sent before the subscribers are there.
        subscribers.iter_mut().for_each(|stream| stream.put(&probe));
    }
    subscribers.iter().for_each(Stream::set_nonblocking);
    let block = Block::new(a, 0);
    let total = block.len_of(a.count);
    let mut written = vec![0usize; subscribers.len()];
    let mut active: Vec<usize> = (0..subscribers.len()).collect();
    while !active.is_empty() {
        let mut polls: Vec<_> = active.iter().map(|&k| writable(subscribers[k].fd())).collect();
        wait_writable(&mut polls);
        for (poll, &k) in polls.iter().zip(&active) {
            if poll.revents != 0 {
                written[k] += write_some(&mut subscribers[k], block.at(written[k], total));
            }
        }
        active.retain(|&k| written[k] < total);
    }
    let end = framed(END);
    loop {
        subscribers.iter_mut().for_each(|stream| stream.put(&end));
        std::thread::sleep(PAUSE);
    }
}

struct Subscriber {
    stream: Stream,
    walk: Walk,
    check: Check,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Probed,
    Ended,
}

pub(super) fn subscribe(a: &Args) -> ! {
    let epoll = Epoll::new();
    let mut subscribers: Vec<Subscriber> = (0..a.peers)
        .map(|k| {
            let mut stream = Stream::connect(&a.endpoint);
            stream.handshake("SUB");
            stream.put(&framed(&[1])); // subscribes to everything
            stream.set_nonblocking();
            epoll.add(stream.fd(), k as u64);
            Subscriber { stream, walk: Walk::default(), check: Check::new(a), state: State::Connecting }
        })
        .collect();
    let mut buffer = vec![0u8; READ_BLOCK];
    let (mut ready, mut probed, mut ended) = (Vec::new(), 0, 0);
    let mut window: Option<Window> = None;
    while ended < a.peers {
        epoll.wait(&mut ready);
        for &k in &ready {
            let Subscriber { stream, walk, check, state } = &mut subscribers[k as usize];
            let n = stream.read_some(&mut buffer);
            walk.feed(&buffer[..n], |seen| {
                if seen.len == PROBE.len() {
                    if *state == State::Connecting {
                        *state = State::Probed;
                        probed += 1;
                        if probed == a.peers {
                            mark("subscribed");
                        }
                    }
                } else if seen.len == END.len() {
                    ended += usize::from(*state != State::Ended);
                    *state = State::Ended;
                } else {
                    window.get_or_insert_with(Window::start);
                    check.take(seen);
                }
            });
        }
    }
    let measured = window.expect("each subscriber has received every message").stop();
    let checked =
        subscribers.iter().fold(Checked::default(), |sum, subscriber| sum.plus(subscriber.check.finish(a.count)));
    report(a, measured, checked.received, checked, &mut []);
    park()
}
