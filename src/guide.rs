//! Guides: security, migration from libzmq, internals, and embedding a socket in an event loop of your own. The guide for tests of a
//! protocol on a simulated network is `proto::testing::guide` (feature `testing` of `sansmq-proto`).

pub use crate::proto::embedding;

pub mod internals {
    //! How sansmq works inside, and where its limits are.

    pub mod scaling {
        #![doc = include_str!("../docs/book/src/internals/scaling.md")]
    }
}
pub mod migrating {
    //! Migration from other implementations of ZeroMQ.

    pub mod libzmq {
        #![doc = include_str!("../docs/book/src/migrating/libzmq.md")]
        // The option exists only with the feature, so a link in the file would be unresolved without it.
        #![cfg_attr(feature = "curve", doc = "\n\n[any_key]: crate::Options::any_key")]
        #![cfg_attr(not(feature = "curve"), doc = "\n\n[any_key]: crate::Options")]
    }
}
#[cfg(all(feature = "plain", feature = "curve"))]
pub mod security {
    #![doc = include_str!("../docs/book/src/security.md")]
}
