//! Where the clusters of a stream are.

use super::record::{half, long};

/// A part of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The first cluster of the stream that it has.
    first: u64,
    /// Clusters.
    length: u64,
    /// Where they are on the disk; `None` if nowhere, as zeros.
    place: Option<u64>,
}

/// All parts of a stream, without gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Runs {
    first: u64,
    runs: Vec<Run>,
    /// Bytes of the stream.
    pub(super) size: u64,
    /// Bytes of it that were ever written; what is behind reads as zeros.
    pub(super) written: u64,
}

impl Runs {
    /// One run of clusters.
    pub(super) fn single(place: u64, length: u64, size: u64) -> Self {
        Self { first: 0, runs: vec![Run { first: 0, length, place: Some(place) }], size, written: size }
    }

    /// Reads an attribute that is not in its record.
    pub(super) fn read(part: &[u8]) -> Option<Self> {
        let first = long(part, 16)?;
        let mut rest = part.get(usize::from(half(part, 32)?)..)?;
        let (mut runs, mut next, mut place) = (Vec::new(), first, 0_i64);
        while let Some((head, behind)) = rest.split_first().filter(|(head, _)| **head != 0) {
            let (lengths, places) = (usize::from(head & 0xf), usize::from(head >> 4));
            let (length, behind) = behind.split_at_checked(lengths)?;
            let (step, behind) = behind.split_at_checked(places)?;
            let length = u64::try_from(number(length)?).ok().filter(|length| *length > 0)?;
            place = place.checked_add(number(step)?)?;
            let place = if places == 0 { None } else { Some(u64::try_from(place).ok()?) };
            runs.push(Run { first: next, length, place });
            next = next.checked_add(length)?;
            rest = behind;
        }
        // Only the first part of a stream tells how long it is.
        let (size, written) = if first == 0 { (long(part, 48)?, long(part, 56)?) } else { (0, 0) };
        Some(Self { first, runs, size, written: written.min(size) })
    }

    /// Where a byte of the stream is on the partition, and how many from there on are in one piece.
    pub(super) fn at(&self, byte: u64, cluster: u64) -> Result<(Option<u64>, u64), String> {
        let number = byte / cluster;
        let run =
            self.runs.partition_point(|run| run.first <= number).checked_sub(1).map(|run| self.runs[run]);
        let run =
            run.filter(|run| number - run.first < run.length).ok_or("its clusters end before its size")?;
        let skipped = byte - run.first * cluster;
        let alike = run.length.checked_mul(cluster).ok_or("it is too long")? - skipped;
        let place =
            run.place.map(|place| place.checked_mul(cluster).and_then(|start| start.checked_add(skipped)));
        match place {
            Some(None) => Err("a cluster of it is beyond the disk".to_owned()),
            place => Ok((place.flatten(), alike)),
        }
    }

    /// Places and lengths in bytes, one after another; nothing that is too far away for a disk.
    pub(super) fn places(&self, cluster: u64) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bytes = move |clusters: u64| clusters.saturating_mul(cluster);
        self.runs.iter().map(move |run| (run.place.map(bytes), bytes(run.length)))
    }
}

/// A number of up to eight bytes with a sign.
fn number(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 8 {
        return None;
    }
    let sign = if bytes.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 };
    let mut whole = [sign; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}

/// The parts of one stream as a whole.
pub(super) fn joined(mut parts: Vec<&Runs>) -> Result<Runs, String> {
    parts.sort_by_key(|part| part.first);
    let mut whole = Runs::default();
    let mut next = 0;
    for part in parts {
        if part.first != next {
            return Err("a part of it is missing or there twice".to_owned());
        }
        if part.first == 0 {
            (whole.size, whole.written) = (part.size, part.written);
        }
        next = part.runs.last().map_or(next, |run| run.first + run.length);
        whole.runs.extend_from_slice(&part.runs);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_signs() {
        let cases: [(&[u8], Option<i64>); 5] = [
            (&[], Some(0)),
            (&[0x7f], Some(127)),
            (&[0x80], Some(-128)),
            (&[0, 1], Some(256)),
            (&[1; 9], None),
        ];
        for (bytes, expect) in cases {
            assert_eq!(number(bytes), expect, "{bytes:?}");
        }
    }
}
