//! Errors of the operations of a socket: one enum per operation.

mod endpoints;
mod messages;
mod settings;

pub use endpoints::{AcceptError, BindError, ConnectError, UnbindError, WaitError, WaitSubscribedError};
pub use messages::{RecvError, SendError, Unsent};
pub use settings::{JoinError, OptionsError, SubscribeError};

/// Text of the errors of a socket in a forked child.
const FORKED: &str = "the socket was created before a fork, and the thread that does its IO does not exist in this process; \
     create sockets after the fork";

/// Text of the errors of a blocking call that a signal interrupted.
const INTERRUPTED: &str = "a signal interrupted the call; handle the signal, and call again";

/// Text of the errors of a closed socket.
pub(super) const CLOSED: &str = "the socket is closed, or its runtime has ended; create a new socket to continue";

/// Implements `Debug` with the name of the type and the text.
macro_rules! debug_with_text {
    ($($error:ident)*) => {$(
        // A `main` that returns the error prints the `Debug` text, so it includes the advice.
        impl core::fmt::Debug for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($error), ": {}"), self)
            }
        }
    )*};
}

debug_with_text! {
    SubscribeError JoinError AcceptError ConnectError WaitError WaitSubscribedError BindError UnbindError OptionsError
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Endpoint, NetworkError};
    use crate::message::Message;
    use crate::socket::failing::FailingDials;
    use crate::socket_type::SocketType;
    use alloc::format;
    use alloc::string::String;
    use core::time::Duration;

    #[test]
    fn send_errors_return_the_message_and_do_not_show_it() {
        let reasons = [
            Unsent::Full,
            Unsent::Unroutable,
            Unsent::Unaddressed,
            Unsent::NotGrouped,
            Unsent::SingleFrame,
            Unsent::FrameCount,
            Unsent::TooLarge,
            Unsent::OutOfTurn,
            Unsent::Unsupported(SocketType::Pull),
            Unsent::Closed,
            Unsent::Unreachable,
        ];
        let secret = || Message::from("secret");
        let names = reasons.map(|reason| format!("{reason:?}"));
        let errors = reasons.map(|reason| reason.into_error(secret()));
        let others = [
            SendError::Runtime(secret(), NetworkError::Unsupported),
            SendError::TimedOut {
                message: secret(),
                after: Duration::from_millis(250),
                failing: FailingDials::default(),
            },
            SendError::Forked(secret()),
            SendError::Interrupted(secret()),
        ];
        let names = names.iter().map(String::as_str).chain(["Runtime", "TimedOut", "Forked", "Interrupted"]);
        for (name, error) in names.zip(errors.into_iter().chain(others)) {
            let debug = format!("{error:?}");
            let name = name.split('(').next().unwrap();
            assert_eq!(debug, format!("{name}: {error}"), "the text follows the name of the variant");
            assert!(!debug.contains("secret"), "{debug}");
            assert_eq!(error.into_message(), secret());
        }
    }

    #[test]
    fn debug_text_of_receive_errors_includes_the_advice() {
        for (name, error) in [
            ("Empty", RecvError::Empty),
            ("OutOfTurn", RecvError::OutOfTurn),
            ("Unsupported", RecvError::Unsupported(SocketType::Push)),
            ("Closed", RecvError::Closed),
            ("Runtime", RecvError::Runtime(NetworkError::Unsupported)),
            ("TimedOut", RecvError::TimedOut { after: Duration::from_millis(250), failing: FailingDials::default() }),
            ("Unreachable", RecvError::Unreachable(FailingDials::default())),
            ("Forked", RecvError::Forked),
            ("Interrupted", RecvError::Interrupted),
        ] {
            assert_eq!(format!("{error:?}"), format!("{name}: {error}"));
        }
    }

    #[test]
    fn debug_text_of_each_operation_includes_the_advice() {
        let endpoint: Endpoint = "ipc:///nowhere/socket".parse().unwrap();
        let error = NetworkError::NoDirectory;
        let bind = BindError::Network { endpoint: endpoint.clone(), error };
        let text = "BindError: cannot listen at ipc:///nowhere/socket: the directory of the socket file does not exist";
        assert!(format!("{bind:?}").starts_with(text), "{bind:?}");
        for (debug, text) in [
            (format!("{:?}", ConnectError::RoutingIdTaken), format!("ConnectError: {}", ConnectError::RoutingIdTaken)),
            (format!("{:?}", WaitError::Closed), format!("WaitError: {}", WaitError::Closed)),
            (format!("{:?}", UnbindError::Forked), format!("UnbindError: {}", UnbindError::Forked)),
            (format!("{:?}", SubscribeError::NoRequest), format!("SubscribeError: {}", SubscribeError::NoRequest)),
            (format!("{:?}", JoinError::TooLong(300)), format!("JoinError: {}", JoinError::TooLong(300))),
            (format!("{:?}", OptionsError::Domain(0)), format!("OptionsError: {}", OptionsError::Domain(0))),
        ] {
            assert_eq!(debug, text);
        }
        let parsed = "localhost:5555".parse::<Endpoint>().unwrap_err();
        assert_eq!(format!("{parsed:?}"), format!("ParseEndpointError: {parsed}"));
    }
}
