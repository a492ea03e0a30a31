//! A REQ that sends a request every 50 ms, and receives its reply.

#![no_std]
#![no_main]

use core::time::Duration;
use sansmq_bare_metal::{Node, heap_used, init_heap, options, print};
use sansmq_proto::Instant;
use sansmq_proto::kind::Req;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    init_heap();
    let mut node = Node::new(options::<Req>());
    let (mut next, mut received) = (Instant::ORIGIN, 0);
    loop {
        let now = node.poll();
        if let Ok(reply) = node.socket.recv()
            && reply.head() == b"on"
        {
            received += 1;
            print(c"received: ", received);
        }
        if now < next || !node.socket.can_send() {
            continue;
        }
        print(c"heap at rest: ", heap_used());
        if node.socket.send("switch").is_ok() {
            next = now + Duration::from_millis(50);
        }
    }
}
