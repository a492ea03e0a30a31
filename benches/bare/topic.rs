//! Topics, as all benchmarks of publishing have them.

/// A topic like `market.0123456:`, of which no other is a prefix. All are as long.
pub(crate) fn topic(number: usize) -> String {
    format!("market.{number:07}:")
}
