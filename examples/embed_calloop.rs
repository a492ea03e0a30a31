//! A socket as a guest in somebody else's event loop: the echo server of `embed_poll`, on `calloop`.
//!
//! Why calloop: it is the loop of Wayland compositors and window toolkits, programs that cannot leave their thread to an
//! async runtime. It calls back, owns what it watches, lends one `&mut` state to every callback and knows no futures: all
//! that our runtimes are not. It stays its owner's: the socket is nothing but sources in it (`embed/guest.rs`).
//!
//! ```text
//! cargo run --example embed_calloop -- tcp://127.0.0.1:5555
//! ```

#[path = "embed/guest.rs"]
mod guest;
#[path = "embed/guest_link.rs"]
mod guest_link;
#[path = "embed/net.rs"]
#[expect(dead_code, reason = "this server connects to nobody")]
mod net;

use calloop::EventLoop;
pub(crate) use guest::Guest;
use sansmq::Options;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let mut events = EventLoop::try_new()?;
    let mut server = Guest::new(Options::new(), events.handle());
    println!("ROUTER at {}", server.bind(endpoint.parse()?)?);
    serve(&mut events, &mut server, usize::MAX)?;
    Ok(())
}

/// Runs the loop until so many requests are echoed, and then until the answers are out. Gives back how many are not.
pub(crate) fn serve(
    events: &mut EventLoop<'static, Guest>,
    server: &mut Guest,
    requests: usize,
) -> Result<usize, Box<dyn Error>> {
    while server.echoed < requests {
        events.dispatch(None, server)?;
    }
    server.close();
    while !server.socket.is_closed() {
        events.dispatch(None, server)?;
    }
    Ok(server.socket.unsent())
}
