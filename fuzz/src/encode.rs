//! [`Encoder`]: writes scenarios as inputs of the fuzz targets.

use arbitrary::{Arbitrary, Unstructured};
use std::fmt::Debug;

/// Encoder of a scenario: writes the bytes from which the derived code of [`Arbitrary`] reads the same scenario.
#[derive(Debug, Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// Writes numbers of one byte, or a larger number in little-endian order.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes the variant number `index` of an enum with `count` variants. The fields of the variant must follow.
    pub(crate) fn variant(&mut self, index: u32, count: u32) -> &mut Self {
        // `Arbitrary` multiplies a number of 32 bits by the number of variants, and takes the upper half.
        let number = (u64::from(index) << 32).div_ceil(count.into());
        self.bytes(&u32::try_from(number).expect("the index is less than the number of variants").to_le_bytes())
    }

    /// Begins a further item of the list at the end of the scenario. The fields of the item must follow.
    pub(crate) fn item(&mut self) -> &mut Self {
        self.bytes(&[1])
    }

    /// Returns the input.
    ///
    /// # Panics
    /// If the input does not result in `scenario`.
    pub(crate) fn finish<T: for<'a> Arbitrary<'a> + Debug>(self, scenario: &T) -> Vec<u8> {
        let decoded = T::arbitrary_take_rest(Unstructured::new(&self.0)).map(|decoded| format!("{decoded:?}"));
        assert_eq!(decoded, Ok(format!("{scenario:?}")), "the encoding differs from that of the fuzz target");
        self.0
    }
}
