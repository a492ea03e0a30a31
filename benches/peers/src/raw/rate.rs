//! Requests at a fixed rate (`olat`).

use super::frames::{Block, READ_BLOCK, framed};
use super::net::{Epoll, Stream};
use super::requests::dealers;
use crate::common::*;
use std::time::Instant;

/// Sends requests that are due at fixed times, from each of the peers in turn. The first 8 bytes of a request are the time at
/// which it is due, so the order of the replies of each connection is known.
///
/// The process spins, so it needs a processor of its own.
pub(super) fn requests(a: &Args) -> ! {
    assert!(a.size >= 8 && a.size < 256, "--size must be 8 to 255 for this scenario");
    let block = Block::new(a, 0);
    let epoll = Epoll::new();
    let mut clients: Vec<Client> = dealers(a, &block)
        .into_iter()
        .enumerate()
        .map(|(k, dealer)| {
            dealer.stream.set_nonblocking();
            epoll.add(dealer.stream.fd(), k as u64);
            Client { stream: dealer.stream, held: Vec::with_capacity(4096), next: k as u64 }
        })
        .collect();
    let mut request = framed(&vec![b'x'; a.size]);
    let gap = 1_000_000_000 / a.rate;
    let mut buffer = vec![0u8; READ_BLOCK];
    let mut rtts: Vec<u32> = Vec::with_capacity(a.count as usize);
    let (mut sent, mut received, mut sum) = (0u64, 0u64, 0u64);
    let mut window = None;
    let mut ready = vec![0];
    let begin = Instant::now();
    let now = || begin.elapsed().as_nanos() as u64;
    while received < a.total() {
        if sent < a.total() && now() >= sent * gap {
            request[2..10].copy_from_slice(&(sent * gap).to_le_bytes());
            let client = (sent % a.peers as u64) as usize;
            clients[client].stream.put(&request);
            sent += 1;
        }
        if clients.len() > 1 {
            epoll.check(&mut ready);
        }
        for &k in &ready {
            let client = &mut clients[k as usize];
            let n = client.stream.read_some(&mut buffer);
            let now = now();
            client.held.extend_from_slice(&buffer[..n]);
            let whole = client.held.len() / request.len() * request.len();
            for reply in client.held[..whole].chunks(request.len()) {
                let due = client.next * gap;
                request[2..10].copy_from_slice(&due.to_le_bytes());
                assert!(
                    reply == request,
                    "a reply is lost, reordered or damaged: expected that of request {}",
                    client.next
                );
                client.next += a.peers as u64;
                received += 1;
                sum = sum.wrapping_add(due);
                if received == a.warmup {
                    window = Some(Window::start());
                } else if received > a.warmup {
                    rtts.push((now - due).try_into().unwrap_or(u32::MAX));
                }
            }
            client.held.drain(..whole);
        }
    }
    let measured = window.expect("the warm-up is at least one message").stop();
    let expected = (0..received).fold(0u64, |sum, request| sum.wrapping_add(request * gap));
    assert_eq!(sum, expected, "the sum of the replies is wrong");
    report(a, measured, rtts.len() as u64, Checked { received, sum }, &mut rtts);
    park()
}

struct Client {
    stream: Stream,
    /// Received bytes that are not a whole reply yet.
    held: Vec<u8>,
    /// Number of the request that is answered next.
    next: u64,
}
