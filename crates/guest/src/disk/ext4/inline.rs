//! Data in an inode: the first 60 bytes in its room, the others as the attribute `system.data` behind its own bytes.

use super::{
    inode::ROOM,
    numbers::{le16, le32},
};

const MAGIC: u32 = 0xea02_0000;
/// The prefix `system.`, as a number.
const SYSTEM: u8 = 7;
/// Bytes of an entry before its name.
const ENTRY: usize = 16;

/// Data of so many bytes; `behind` is what follows the bytes of an inode that have a meaning of their own.
pub(super) fn data(room: &[u8; ROOM], behind: &[u8], size: u64) -> Result<Vec<u8>, String> {
    let size = usize::try_from(size).map_err(|error| error.to_string())?;
    let mut data = room.to_vec();
    data.extend_from_slice(attribute(behind).ok_or("its attributes are damaged")?);
    if size > data.len() {
        return Err(format!("it has {size} bytes, and {} of them are there", data.len()));
    }
    data.truncate(size);
    Ok(data)
}

/// What `system.data` holds; nothing if there is no such attribute, `None` if its place is wrong.
fn attribute(behind: &[u8]) -> Option<&[u8]> {
    if behind.len() < 4 || le32(behind, 0) != MAGIC {
        return Some(&[]);
    }
    let values = &behind[4..];
    let mut rest = values;
    // The list ends with four bytes of zero, or where there is no room for another.
    while rest.len() >= ENTRY && le32(rest, 0) != 0 {
        let length = usize::from(rest[0]);
        let name = rest.get(ENTRY..ENTRY + length)?;
        if rest[1] == SYSTEM && name == b"data" {
            let (start, length) = (usize::from(le16(rest, 2)), usize::try_from(le32(rest, 8)).ok()?);
            return values.get(start..start.checked_add(length)?);
        }
        rest = rest.get((ENTRY + length).next_multiple_of(4)..)?;
    }
    Some(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attributes of which one is that of the data, at a place.
    fn behind(start: u16, length: u32) -> Vec<u8> {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend([3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(b"own\0");
        bytes.extend([4, SYSTEM]);
        bytes.extend(start.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(b"data\0\0\0\0rest");
        bytes
    }

    #[test]
    fn data_goes_on_in_an_attribute() {
        let room = [b'r'; ROOM];
        let place = 4 + ENTRY as u16 * 2 + 8;
        let whole = data(&room, &behind(place, 4), 64).unwrap();
        assert_eq!(whole[ROOM..], *b"rest");
        assert_eq!(data(&room, &behind(place, 4), 2), Ok(b"rr".to_vec()));
        assert_eq!(data(&room, &[], 60), Ok(room.to_vec()));
        assert!(data(&room, &behind(place, 4), 65).unwrap_err().contains("64 of them"));
        for (start, length) in [(place, 5), (u16::MAX, 1), (place, u32::MAX)] {
            assert!(data(&room, &behind(start, length), 64).is_err());
        }
    }
}
