//! How much the detectors remember, and for how long.
//!
//! At a limit the entries that were quiet longest are forgotten; [`crate::Losses`] counts them. The figures of memory are worst
//! cases with every list full; nothing is reserved in advance.

const MINUTE_MS: u64 = 60_000;
/// An hour.
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
/// A day.
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;

/// Sources whose contacts are judged; at most 1.6 KiB each.
pub const SOURCES_MAX: usize = 65_536;
/// Contacts that a source is remembered for, and as many with their ports.
pub const CONTACTS_MAX: usize = 128;
/// Ports that a source has a walk of its own for.
pub const WALKS_MAX: usize = 8;
/// A walk is forgotten after this long without a contact: that of the old Bro.
pub const WALK_IDLE_MS: u64 = 30 * MINUTE_MS;
/// A source is not told of again for this long.
pub const QUIET_MS: u64 = HOUR_MS;

/// Pairs of a source and a port, or a source and a destination, whose failures are counted; at most 250 bytes each.
pub const WINDOWS_MAX: usize = 65_536;

/// Pairs of a source and a service whose guesses are counted; at most 350 bytes each.
pub const PAIRS_MAX: usize = 65_536;
/// Guesses are forgotten after this long without another one.
pub const PAIR_IDLE_MS: u64 = 36 * HOUR_MS;
/// Sizes of guesses that are kept of a pair.
pub const SIZES_MAX: usize = 32;
/// Services that many sources are counted for, and sources that many destinations are counted for; at most 3 KiB each.
pub const CROWDS_MAX: usize = 8_192;
/// Members of a crowd that are counted in an hour.
pub const CROWD_MAX: usize = 512;

/// Accounts and addresses that are told apart of a guest's failed logons.
pub const TRIED_MAX: usize = 128;

/// Pairs whose rhythm is kept; at most 2.2 KiB each.
pub const RHYTHMS_MAX: usize = 65_536;
/// Connections of a pair whose times and sizes are kept: the newest.
pub const BEATS_MAX: usize = 256;
/// Destinations whose visitors are counted, for the share of machines that go there.
pub const DESTINATIONS_MAX: usize = 65_536;
/// Visitors of a destination that are told apart.
pub const VISITORS_MAX: usize = 32;

/// Pairs of a machine and a network whose volume is kept; at most 900 bytes each.
pub const VOLUMES_MAX: usize = 65_536;
/// Services of machines whose hours are kept; at most 24 KiB each.
pub const SERVICES_MAX: usize = 4_096;

/// Connections that are open at once while records are put together; 130 bytes each.
pub const OPEN_MAX: usize = 1 << 20;
