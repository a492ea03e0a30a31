//! Proof that sansmq-proto does not need `std`; see `Cargo.toml`.
#![no_std]

use sansmq_proto::{Instant, Options, Socket, kind::Router};

/// Creates a socket, so that the crate is linked.
pub fn socket(entropy: impl sansmq_proto::Entropy + 'static) -> Socket {
    let mut socket = Socket::new(Options::<Router>::new(), entropy);
    socket.handle_timeout(Instant::ORIGIN);
    socket
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
