//! What a range set asks of its numbers: a first, a last, and neighbours.

/// An unsigned number type whose whole space a [`crate::RangeSet`] can cover.
pub trait Number: Copy + Ord + core::fmt::Debug + core::hash::Hash {
    /// Smallest value.
    const MIN: Self;
    /// Largest value.
    const MAX: Self;
    /// The next value, or `None` at the end of the space.
    fn next(self) -> Option<Self>;
    /// The value before, or `None` at the start of the space.
    fn previous(self) -> Option<Self>;
}

macro_rules! number {
    ($($ty:ty),+) => { $(
        impl Number for $ty {
            const MIN: Self = Self::MIN;
            const MAX: Self = Self::MAX;

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )+ };
}

number!(u16, u32, u128);
