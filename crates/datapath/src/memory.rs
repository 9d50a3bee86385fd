//! The memory that this process shares with the kernel program: how it is mapped, what lies where, and the policy in force.

pub(crate) mod mapping;
pub(crate) mod published;
pub(crate) mod regions;

pub use mapping::MemoryKind;

/// Where the policy, the flows and the rest of what is shared live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MemoryChoice {
    /// An arena if the kernel has them, otherwise the array.
    #[default]
    Auto,
    /// An arena, or nothing.
    Arena,
    /// The array, as on kernels without arenas.
    Array,
}
