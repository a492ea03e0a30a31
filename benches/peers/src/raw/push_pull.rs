//! PUSH and PULL.

use super::frames::{Block, READ_BLOCK, Walk};
use super::gate::{Gate, Wait};
use super::net::{Epoll, Listener, Stream, wait_writable, writable};
use crate::common::*;
use std::io::{ErrorKind, Write};

pub(super) fn push(a: &Args) -> ! {
    let mut stream = Stream::connect(&a.endpoint);
    stream.handshake("PUSH");
    let block = Block::new(a, 0);
    let (mut written, total) = (0, block.len_of(a.total()));
    while written < total {
        let bytes = block.at(written, total);
        stream.put(bytes);
        written += bytes.len();
    }
    park()
}

pub(super) fn pull(a: &Args, wait: Wait) -> ! {
    let listener = Listener::bind(&a.endpoint);
    mark("ready");
    let mut stream = listener.accept().expect("accept");
    stream.handshake("PULL");
    let mut gate = Gate::new(&stream, wait);
    let mut walk = Walk::default();
    receive(a, |buffer, check| {
        let n = gate.some(&mut stream, buffer);
        walk.feed(&buffer[..n], |seen| check.take(seen));
    })
}

/// Calls `some`, which reads and checks messages, until all messages are received, and reports.
fn receive(a: &Args, mut some: impl FnMut(&mut [u8], &mut Check)) -> ! {
    let mut buffer = vec![0u8; READ_BLOCK];
    let mut check = Check::new(a);
    let mut window = None;
    while check.count() < a.total() {
        some(&mut buffer, &mut check);
        if window.is_none() && check.count() >= a.warmup {
            window = Some((Window::start(), check.count()));
        }
    }
    let (window, from) = window.expect("the warm-up is at most all messages");
    let measured = window.stop();
    let checked = check.finish(a.total());
    assert!(checked.received > from, "--count is too small: all messages were in one read");
    report(a, measured, checked.received - from, checked, &mut []);
    park()
}

pub(super) fn fan_in_pull(a: &Args) -> ! {
    let listener = Listener::bind(&a.endpoint);
    mark("ready");
    let epoll = Epoll::new();
    let mut connections: Vec<(Stream, Walk)> = (0..a.peers)
        .map(|k| {
            let mut stream = listener.accept().expect("accept");
            stream.handshake("PULL");
            stream.set_nonblocking();
            epoll.add(stream.fd(), k as u64);
            (stream, Walk::default())
        })
        .collect();
    let mut ready = Vec::new();
    receive(a, |buffer, check| {
        epoll.wait(&mut ready);
        for &k in &ready {
            let (stream, walk) = &mut connections[k as usize];
            let n = stream.read_some(buffer);
            walk.feed(&buffer[..n], |seen| check.take(seen));
        }
    })
}

/// Connection of one sender.
struct Sender {
    stream: Stream,
    written: usize,
    total: usize,
}

pub(super) fn fan_in_push(a: &Args) -> ! {
    let mut block = Block::new(a, 0);
    let mut senders: Vec<Sender> = (0..a.peers)
        .map(|k| {
            let mut stream = Stream::connect(&a.endpoint);
            stream.handshake("PUSH");
            stream.set_nonblocking();
            Sender { stream, written: 0, total: block.len_of(share(a.total(), a.peers, k)) }
        })
        .collect();
    let mut active: Vec<usize> = (0..a.peers).collect();
    while !active.is_empty() {
        let mut polls: Vec<_> = active.iter().map(|&k| writable(senders[k].stream.fd())).collect();
        wait_writable(&mut polls);
        for (poll, &k) in polls.iter().zip(&active) {
            if poll.revents != 0 {
                block.set_sender(k as u32);
                let sender = &mut senders[k];
                sender.written += write_some(&mut sender.stream, block.at(sender.written, sender.total));
            }
        }
        active.retain(|&k| senders[k].written < senders[k].total);
    }
    park()
}

/// Writes as much as is possible without waiting, and returns the number of written bytes.
pub(super) fn write_some(stream: &mut Stream, bytes: &[u8]) -> usize {
    match stream.write(bytes) {
        Ok(n) => n,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("write: {error}"),
    }
}
