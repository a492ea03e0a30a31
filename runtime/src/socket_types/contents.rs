//! Links to the most used items of a type of sockets, above the example on its page. The list of all methods in the margin is
//! sorted by name, and a narrow screen does not show the margin.

/// Expands to the links for a kind of socket with these groups of methods.
#[doc(hidden)]
#[macro_export]
macro_rules! socket_contents {
    ($kind:ident [$($group:ident)*]) => {
        concat!(
            "Most used: [`new`](Self::new), [`bind`](Self::bind), [`connect`](Self::connect), ",
            $($crate::socket_contents!(@method $group),)*
            "[`close`](Self::close); [`with_options`](Self::with_options), with options such as ",
            "[`linger`](sansmq_runtime::proto::Options::linger)", $crate::socket_contents!(@option $kind),
            ". [All options](sansmq_runtime::proto::kind::", stringify!($kind), ") of this type.",
        )
    };

    (@method send) => { "[`send`](Self::send), " };
    (@method receive) => { "[`recv`](Self::recv), " };
    (@method subscribe) => { "[`subscribe`](Self::subscribe), " };
    (@method join) => { "[`join`](Self::join), " };
    (@method publish) => { "[`wait_subscribed`](Self::wait_subscribed), " };
    (@method $group:ident) => { "" };

    (@option Req) => { $crate::socket_contents!(@option Dealer) };
    (@option Router) => { $crate::socket_contents!(@option Dealer) };
    (@option Dealer) => { " and [`routing_id`](sansmq_runtime::proto::Options::routing_id) (the identity)" };
    (@option $kind:ident) => { "" };
}
