//! Where a record is kept: by day, hour and group of interfaces, in folders whose names say so.
//!
//! `day=2026-11-22/hour=13/group=5` is Hive's layout, which DuckDB, Spark and others read as three columns more. A group is a hash
//! of the interface, so that a question about one interface opens an eighth of the files.

use std::fmt;

use palisade_model::calendar::{civil_from_days, days_from_civil};

use crate::record::Labels;

/// Number of groups of interfaces.
pub const GROUPS: u8 = 8;

const HOUR_MS: u64 = 3_600_000;

/// One folder of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Hours since 1970.
    pub hour: u32,
    /// Group of interfaces.
    pub group: u8,
}

impl Partition {
    /// Where a record of this time and interface belongs.
    pub fn of(time_ms: u64, group: u8) -> Self {
        let hour = u32::try_from(time_ms / HOUR_MS).expect("times end with the year 9999");
        Self { hour, group }
    }

    /// Its first millisecond, and the one behind its last.
    pub const fn span(self) -> (u64, u64) {
        let start = self.hour as u64 * HOUR_MS;
        (start, start + HOUR_MS)
    }

    /// The partition of a folder's or a file's name; `None` if it is none of ours.
    pub fn parse(path: &str) -> Option<Self> {
        let part = |name: &str| path.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let mut day = part("day")?.splitn(3, '-').map(|number| number.parse::<i64>().ok());
        let (year, month, date) = (day.next()??, day.next()??, day.next()??);
        let hour: i64 = part("hour")?.parse().ok()?;
        let group = part("group")?.parse().ok()?;
        let days = days_from_civil(year, month, date);
        let hour = u32::try_from(24 * days + hour).ok()?;
        let found = Self { hour, group };
        path.contains(&found.to_string()).then_some(found)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(i64::from(self.hour / 24));
        write!(f, "day={year:04}-{month:02}-{day:02}/hour={:02}/group={}", self.hour % 24, self.group)
    }
}

/// The group of an interface: FNV-1a of its id, or else of its name, hardware address or the log's resource, in lower case.
pub fn group_of(labels: &Labels) -> u8 {
    let name = [&labels.nic_id, &labels.nic, &labels.mac, &labels.resource]
        .into_iter()
        .find_map(|name| name.as_deref());
    let hash = name.unwrap_or_default().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(GROUPS)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        for hour in (0..70_000_000).step_by(99_991) {
            let partition = Partition { hour, group: (hour % 8) as u8 };
            assert_eq!(Partition::parse(&format!("store/{partition}/x.parquet")), Some(partition));
        }
        assert_eq!(
            Partition { hour: 498_493, group: 3 }.to_string(),
            "day=2026-11-13/hour=13/group=3",
            "a day has two digits, an hour too"
        );
        for other in [
            "day=2026-11-22/hour=1/group=1/x",
            "day=2026-13-22/hour=01/group=1",
            "x.parquet",
            "day=/hour=/group=",
        ] {
            assert_eq!(Partition::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_group_is_that_of_the_interface() {
        let labels = |nic_id: Option<&str>, nic: Option<&str>| Labels {
            nic_id: nic_id.map(str::to_owned),
            nic: nic.map(str::to_owned),
            ..Labels::default()
        };
        assert_eq!(group_of(&labels(Some("/A/b"), Some("x"))), group_of(&labels(Some("/a/B"), Some("y"))));
        let groups: std::collections::BTreeSet<u8> =
            (0..200).map(|number| group_of(&labels(None, Some(&format!("nic{number}"))))).collect();
        assert_eq!(groups.len(), usize::from(GROUPS));
    }
}
