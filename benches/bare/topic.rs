//! Topics that the benchmarks of publishers and subscribers use.

/// Returns a topic like `market.0123456:`. All topics have the same length, so none is a prefix of another.
pub(crate) fn topic(number: usize) -> String {
    format!("market.{number:07}:")
}
