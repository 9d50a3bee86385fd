//! Checks a policy blob before the kernel may read it: every offset inside, every class in its table.
//!
//! It does not know which rules the blob should mean; that is the encoder's proof. The layout is
//! `palisade_abi::policy`. A blob that passes cannot make the kernel program report a corrupt policy.

use palisade_abi::{
    ABI_VERSION, Pod,
    policy::{
        ADDRESS_INTERVALS_MAX, ADDRESS_ROOT_BITS_MAX, AddressTable, POLICY_BYTES_MAX, POLICY_CLASSES_MAX,
        POLICY_MAGIC, POLICY_RULES_MAX, PROTOCOL_PORT_TABLE, PolicyHeader, PortTable, VectorSet,
    },
    verdict::Action,
};

/// What is wrong with a blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The first words are not those of a blob of this layout.
    #[error("not a policy of layout {ABI_VERSION} (first words {magic:#x}, {version})")]
    NotAPolicy {
        /// First word.
        magic: u32,
        /// Second word.
        version: u32,
    },
    /// The blob does not have the size it claims, or is too large.
    #[error("its size is {got} bytes, its header says {claimed} (at most {POLICY_BYTES_MAX})")]
    Size {
        /// Bytes given.
        got: usize,
        /// Bytes claimed.
        claimed: usize,
    },
    /// A part lies outside the blob, or at an offset that is not aligned.
    #[error("{part} at offset {offset} with {bytes} bytes is outside the blob or not aligned")]
    Outside {
        /// Which part.
        part: &'static str,
        /// Its offset.
        offset: usize,
        /// Its size.
        bytes: usize,
    },
    /// A number has a value that its place does not allow.
    #[error("{part} has the value {value}, which must be {rule}")]
    Value {
        /// Which number.
        part: &'static str,
        /// Its value.
        value: u64,
        /// What it must be.
        rule: &'static str,
    },
}

/// Checks a whole blob.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(blob: &[u8]) -> Result<(), Invalid> {
    let header = PolicyHeader::read_from(blob).ok_or(Invalid::Size { got: blob.len(), claimed: 0 })?;
    if header.magic != POLICY_MAGIC || header.version != ABI_VERSION {
        return Err(Invalid::NotAPolicy { magic: header.magic, version: header.version });
    }
    if header.size as usize != blob.len() || blob.len() > POLICY_BYTES_MAX {
        return Err(Invalid::Size { got: blob.len(), claimed: header.size as usize });
    }
    Checker { blob, header }.whole()
}

struct Checker<'b> {
    blob: &'b [u8],
    header: PolicyHeader,
}

impl<'b> Checker<'b> {
    fn whole(&self) -> Result<(), Invalid> {
        let rules = self.header.rules;
        require((1..=POLICY_RULES_MAX).contains(&(rules as usize)), "rules", rules, "1 to the maximum")?;
        require(self.header.words == rules.div_ceil(64), "words", self.header.words, "one bit a rule")?;
        for action in self.bytes("actions", self.header.actions_offset, rules as usize, 1)? {
            require(
                Action::from_number(*action).is_some(),
                "action",
                u32::from(*action),
                "an action's code",
            )?;
        }
        self.vectors(&self.header.protocol_vectors)?;
        self.protocols()?;
        if self.header.has_source_ports != 0 {
            self.vectors(&self.header.source_port_vectors)?;
            self.ports(&self.header.source_ports, self.header.source_port_vectors.classes)?;
        }
        for (index, table) in self.header.addresses.iter().enumerate() {
            self.vectors(&table.vectors)?;
            if index < 2 { self.addresses::<V4>(table)? } else { self.addresses::<V6>(table)? }
        }
        Ok(())
    }

    fn protocols(&self) -> Result<(), Invalid> {
        let classes = self.header.protocol_vectors.classes;
        for entry in self.numbers::<u32>("protocols", self.header.protocol_offset, 256)? {
            if entry & PROTOCOL_PORT_TABLE == 0 {
                require(entry < classes, "protocol class", entry, "below the number of classes")?;
            } else {
                let bytes =
                    self.bytes("port table", entry & !PROTOCOL_PORT_TABLE, size_of::<PortTable>(), 4)?;
                let table = PortTable::read_from(bytes).expect("the slice has the table's size");
                self.ports(&table, classes)?;
            }
        }
        Ok(())
    }

    fn ports(&self, table: &PortTable, classes: u32) -> Result<(), Invalid> {
        let pages = self.numbers::<u16>("port pages", table.pages_offset, 256)?.max().unwrap_or(0);
        let entries = (usize::from(pages) + 1) * 256;
        for class in self.numbers::<u16>("port classes", table.classes_offset, entries)? {
            require(
                u32::from(class) < classes,
                "port class",
                u32::from(class),
                "below the number of classes",
            )?;
        }
        Ok(())
    }

    fn vectors(&self, set: &VectorSet) -> Result<(), Invalid> {
        let (classes, words) = (set.classes as usize, self.header.words as usize);
        require((1..=POLICY_CLASSES_MAX).contains(&classes), "classes", set.classes, "1 to the maximum")?;
        let summaries = self.numbers::<u32>("summaries", set.summaries_offset, classes)?;
        let mut vectors = self.numbers::<u64>("vectors", set.vectors_offset, classes * words)?;
        let beyond = match self.header.rules % 64 {
            0 => 0,
            used => u64::MAX << used,
        };
        for summary in summaries {
            let vector: Vec<u64> = vectors.by_ref().take(words).collect();
            let expected = vector.iter().rev().fold(0, |bits, word| bits << 1 | u32::from(*word != 0));
            require(summary == expected, "summary", summary, "the non-zero words of its vector")?;
            require(
                vector[words - 1] & beyond == 0,
                "vector",
                set.vectors_offset,
                "without bits beyond the rules",
            )?;
        }
        Ok(())
    }

    fn addresses<F: Family>(&self, table: &AddressTable) -> Result<(), Invalid> {
        let count = table.count as usize;
        require((1..=ADDRESS_INTERVALS_MAX).contains(&count), "intervals", table.count, "1 to the maximum")?;
        let starts =
            F::starts(self.bytes("interval starts", table.starts_offset, count * F::BYTES, F::ALIGN)?);
        require(starts[0] == 0, "first interval", 1, "the lowest address")?;
        require(starts.is_sorted_by(|a, b| a < b), "interval starts", table.starts_offset, "ascending")?;
        for class in self.numbers::<u16>("interval classes", table.classes_offset, count)? {
            let class = u32::from(class);
            require(class < table.vectors.classes, "address class", class, "below the number of classes")?;
        }
        if table.root_bits == 0 { Ok(()) } else { self.root::<F>(table, &starts) }
    }

    /// Every bucket must be bounded by the intervals of its own first address and of the next bucket's.
    fn root<F: Family>(&self, table: &AddressTable, starts: &[u128]) -> Result<(), Invalid> {
        let bits = table.root_bits;
        require(bits <= ADDRESS_ROOT_BITS_MAX, "root bits", bits, "at most the maximum")?;
        let buckets = 1usize << bits;
        for (bucket, entry) in self.numbers::<u32>("root", table.root_offset, buckets + 1)?.enumerate() {
            let expected = if bucket == buckets {
                starts.len() - 1
            } else {
                let first = (bucket as u128) << (F::BYTES as u32 * 8 - bits);
                starts.partition_point(|start| *start <= first) - 1
            };
            require(entry as usize == expected, "root entry", entry, "the interval of its first address")?;
        }
        Ok(())
    }

    fn bytes(
        &self,
        part: &'static str,
        offset: u32,
        bytes: usize,
        align: usize,
    ) -> Result<&'b [u8], Invalid> {
        let offset = offset as usize;
        let inside = offset.checked_add(bytes).and_then(|end| self.blob.get(offset..end));
        inside.filter(|_| offset.is_multiple_of(align)).ok_or(Invalid::Outside { part, offset, bytes })
    }

    fn numbers<N: Number>(
        &self,
        part: &'static str,
        offset: u32,
        count: usize,
    ) -> Result<impl Iterator<Item = N> + use<'b, N>, Invalid> {
        let bytes = self.bytes(part, offset, count * size_of::<N>(), size_of::<N>())?;
        Ok(bytes.chunks_exact(size_of::<N>()).map(N::read))
    }
}

fn require(holds: bool, part: &'static str, value: u32, rule: &'static str) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::Value { part, value: u64::from(value), rule }) }
}

/// An integer in memory order.
trait Number: Sized {
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($kind:ty),+) => { $(
        impl Number for $kind {
            fn read(bytes: &[u8]) -> Self {
                Self::from_ne_bytes(bytes.try_into().expect("the caller cut the slice to size"))
            }
        }
    )+ };
}

number!(u16, u32, u64);

/// How the interval starts of an address family are stored.
trait Family {
    const BYTES: usize;
    const ALIGN: usize;
    fn starts(bytes: &[u8]) -> Vec<u128>;
}

struct V4;

impl Family for V4 {
    const BYTES: usize = 4;
    const ALIGN: usize = 4;

    fn starts(bytes: &[u8]) -> Vec<u128> {
        bytes.chunks_exact(4).map(|start| u128::from(u32::read(start))).collect()
    }
}

struct V6;

impl Family for V6 {
    const BYTES: usize = 16;
    const ALIGN: usize = 8;

    fn starts(bytes: &[u8]) -> Vec<u128> {
        let half = |start: &[u8]| u128::from(u64::read(start));
        bytes.chunks_exact(16).map(|start| half(&start[..8]) << 64 | half(&start[8..])).collect()
    }
}
