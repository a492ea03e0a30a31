//! Guides: security, scaling, migration from libzmq, and embedding a socket in an event loop of your own. The guide for tests of a
//! protocol on a simulated network is `proto::testing::guide` (feature `testing` of `sansmq-proto`).

pub use crate::proto::embedding;

pub mod migrating_from_libzmq {
    #![doc = include_str!("migrating_from_libzmq.md")]
    // The option exists only with the feature, so a link in the file would be unresolved without it.
    #![cfg_attr(feature = "curve", doc = "\n\n[any_key]: crate::Options::any_key")]
    #![cfg_attr(not(feature = "curve"), doc = "\n\n[any_key]: crate::Options")]
}
pub mod scaling {
    #![doc = include_str!("scaling.md")]
}
#[cfg(all(feature = "plain", feature = "curve"))]
pub mod security {
    #![doc = include_str!("security.md")]
}
