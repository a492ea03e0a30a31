//! The guide: a tutorial, a cookbook, migration from other implementations, security, embedding and internals. The same pages are a
//! book: `docs/book` in the repository, also in Korean.
//!
//! - New to ZeroMQ: [`tutorial`], in the order of its list
//! - A task to solve: [`cookbook`]
//! - A program to port: [`migrating`]
//! - An event loop of your own: [`embedding`]; tests on a simulated network: `proto::testing::guide` (feature `testing` of
//!   `sansmq-proto`)

pub use crate::proto::embedding;

// The programs of these pages run as doc tests, and use these features.
#[cfg(any(not(doctest), all(feature = "tokio", feature = "mio", feature = "curve")))]
pub mod tutorial {
    //! The tutorial: from REQ and REP to a broker with load balancing, for programmers who know Rust and `async` but no ZeroMQ.
    //! Read the pages in this order: [`req_rep`], [`limits`], [`envelopes`], [`dealer_router`], [`out_of_order`], [`message_ids`],
    //! [`routing_tables`], [`own_router`], [`multipart`], [`load_balancing`], [`summary`].

    pub mod req_rep {
        #![doc = include_str!("../docs/book/src/tutorial/req_rep.md")]
    }
    pub mod limits {
        #![doc = include_str!("../docs/book/src/tutorial/limits.md")]
    }
    pub mod envelopes {
        #![doc = include_str!("../docs/book/src/tutorial/envelopes.md")]
    }
    pub mod dealer_router {
        #![doc = include_str!("../docs/book/src/tutorial/dealer_router.md")]
    }
    pub mod out_of_order {
        #![doc = include_str!("../docs/book/src/tutorial/out_of_order.md")]
    }
    pub mod message_ids {
        #![doc = include_str!("../docs/book/src/tutorial/message_ids.md")]
    }
    pub mod routing_tables {
        #![doc = include_str!("../docs/book/src/tutorial/routing_tables.md")]
    }
    pub mod own_router {
        #![doc = include_str!("../docs/book/src/tutorial/own_router.md")]
    }
    pub mod multipart {
        #![doc = include_str!("../docs/book/src/tutorial/multipart.md")]
    }
    pub mod load_balancing {
        #![doc = include_str!("../docs/book/src/tutorial/load_balancing.md")]
    }
    pub mod summary {
        #![doc = include_str!("../docs/book/src/tutorial/summary.md")]
    }
}
// The programs of these pages run as doc tests, and use these features.
#[cfg(any(not(doctest), all(feature = "tokio", feature = "mio", feature = "curve")))]
pub mod cookbook {
    //! The cookbook: a program for each task that most users meet.

    pub mod time_outs {
        #![doc = include_str!("../docs/book/src/cookbook/time_outs.md")]
    }
    pub mod retries {
        #![doc = include_str!("../docs/book/src/cookbook/retries.md")]
    }
    pub mod shutdown {
        #![doc = include_str!("../docs/book/src/cookbook/shutdown.md")]
    }
    pub mod errors {
        #![doc = include_str!("../docs/book/src/cookbook/errors.md")]
    }
    pub mod several_sockets {
        #![doc = include_str!("../docs/book/src/cookbook/several_sockets.md")]
    }
    pub mod heartbeats {
        #![doc = include_str!("../docs/book/src/cookbook/heartbeats.md")]
    }
    pub mod last_value_cache {
        #![doc = include_str!("../docs/book/src/cookbook/last_value_cache.md")]
    }
    pub mod pipeline {
        #![doc = include_str!("../docs/book/src/cookbook/pipeline.md")]
    }
    pub mod curve_keys {
        #![doc = include_str!("../docs/book/src/cookbook/curve_keys.md")]
    }
    pub mod web_service {
        #![doc = include_str!("../docs/book/src/cookbook/web_service.md")]
    }
    pub mod simulated_tests {
        #![doc = include_str!("../docs/book/src/cookbook/simulated_tests.md")]
    }
}
// The programs of these pages run as doc tests, and use these features.
#[cfg(any(not(doctest), all(feature = "tokio", feature = "mio", feature = "curve")))]
pub mod migrating {
    //! Migration from other implementations of ZeroMQ.

    pub mod libzmq {
        #![doc = include_str!("../docs/book/src/migrating/libzmq.md")]
        // The option exists only with the feature, so a link in the file would be unresolved without it.
        #![cfg_attr(feature = "curve", doc = "\n\n[any_key]: crate::Options::any_key")]
        #![cfg_attr(not(feature = "curve"), doc = "\n\n[any_key]: crate::Options")]
    }
    pub mod pyzmq {
        #![doc = include_str!("../docs/book/src/migrating/pyzmq.md")]
    }
    pub mod rust_zmq {
        #![doc = include_str!("../docs/book/src/migrating/rust_zmq.md")]
    }
    pub mod zeromq {
        #![doc = include_str!("../docs/book/src/migrating/zeromq.md")]
    }
}
pub mod security {
    #![cfg_attr(
        all(feature = "plain", feature = "curve"),
        doc = include_str!("../docs/book/src/security.md")
    )]
    // The page has links to items of these features.
    #![cfg_attr(
        not(all(feature = "plain", feature = "curve")),
        doc = "Security. The text of this page needs the features `plain` and `curve`."
    )]
}
pub mod internals {
    //! How sansmq works inside, and where its limits are.

    pub mod layers {
        #![doc = include_str!("../docs/book/src/internals/layers.md")]
    }
    pub mod scaling {
        #![doc = include_str!("../docs/book/src/internals/scaling.md")]
    }
}
