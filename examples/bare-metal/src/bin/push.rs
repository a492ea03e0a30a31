//! A PUSH that sends a message every 50 ms.

#![no_std]
#![no_main]

use core::time::Duration;
use sansmq_bare_metal::{Node, heap_used, init_heap, options, print};
use sansmq_proto::Instant;
use sansmq_proto::kind::Push;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    init_heap();
    let mut node = Node::new(options::<Push>());
    let (mut next, mut sent) = (Instant::ORIGIN, 0);
    loop {
        let now = node.poll();
        if now < next || !node.socket.can_send() {
            continue;
        }
        // The message before this one was sent long ago.
        print(c"heap at rest: ", heap_used());
        if node.socket.send("temperature 21").is_ok() {
            sent += 1;
            print(c"sent: ", sent);
        }
        next = now + Duration::from_millis(50);
    }
}
