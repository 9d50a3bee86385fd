//! Files of captures: classic pcap and pcapng, of either byte order.
//!
//! Gives frames with their time, as far as they were kept. A length that leads out of the file ends the reading; what came before is read.
//! Formats: IETF drafts draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. It must not look into frames.

use super::frame::Link;

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// A pcapng section begins so in either byte order.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The byte order of a section, as it is written.
const ORDER: u32 = 0x1a2b_3c4d;
/// Type and length of a block in front, and its length again behind it.
const BLOCK: usize = 12;
/// Units of a second that time is told in where an interface says nothing else.
const MICROSECONDS: u128 = 1_000_000;
/// The last second of the year 9999.
const SECOND_MAX: u128 = 253_402_300_799;

/// Types of blocks.
mod block {
    pub(super) const INTERFACE: u32 = 1;
    /// Not written any more.
    pub(super) const PACKET: u32 = 2;
    pub(super) const SIMPLE: u32 = 3;
    pub(super) const ENHANCED: u32 = 6;
}

/// A frame, as far as it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'f> {
    pub(super) time_ms: u64,
    pub(super) link: Link,
    pub(super) kept: &'f [u8],
    /// Bytes that it had.
    pub(super) length: u64,
}

/// Numbers in the byte order of a file.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    is_little: bool,
}

impl Numbers {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let word = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(word) } else { u16::from_be_bytes(word) })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) })
    }

    fn size(self, bytes: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.u32(bytes, at)?).ok()
    }
}

/// Whether a file is a capture.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION) || classic(bytes).is_some()
}

/// Gives each frame, or why it cannot be read; `take` ends the reading by an error of its own.
pub(super) fn frames<'f, E>(
    bytes: &'f [u8],
    take: impl FnMut(Result<Frame<'f>, String>) -> Result<(), E>,
) -> Result<(), E> {
    match classic(bytes) {
        Some((numbers, per_second)) => packets(bytes, numbers, per_second, take),
        None => blocks(bytes, take),
    }
}

/// How a classic capture writes its numbers, and in which units of a second.
fn classic(bytes: &[u8]) -> Option<(Numbers, u64)> {
    let (is_little, per_second) = match bytes.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1_000_000),
        [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1_000_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1_000_000_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1_000_000_000),
        _ => return None,
    };
    Some((Numbers { is_little }, per_second))
}

fn packets<'f, E>(
    bytes: &'f [u8],
    numbers: Numbers,
    per_second: u64,
    mut take: impl FnMut(Result<Frame<'f>, String>) -> Result<(), E>,
) -> Result<(), E> {
    let Some(link) = numbers.u32(bytes, 20) else { return take(Err("its header is cut off".to_owned())) };
    // Above it stand flags, and the length of a checksum behind each frame.
    let link = match Link::of(link & 0xffff) {
        Ok(link) => link,
        Err(why) => return take(Err(why)),
    };
    let packet = |at: usize| {
        let part = u64::from(numbers.u32(bytes, at + 4)?) * 1_000 / per_second;
        let time_ms = u64::from(numbers.u32(bytes, at)?) * 1_000 + part;
        let kept = bytes.get(at + PACKET_HEADER..)?.get(..numbers.size(bytes, at + 8)?)?;
        Some(Frame { time_ms, link, kept, length: numbers.u32(bytes, at + 12)?.into() })
    };
    let mut at = FILE_HEADER;
    while at < bytes.len() {
        let Some(frame) = packet(at) else {
            return take(Err(format!(
                "the capture ends in the middle of a packet, which begins at byte {at}"
            )));
        };
        at += PACKET_HEADER + frame.kept.len();
        take(Ok(frame))?;
    }
    Ok(())
}

/// What a section says of an interface.
#[derive(Debug, Clone)]
struct Interface {
    link: Result<Link, String>,
    kept_max: usize,
    /// Units of a second that its times are told in, and what is added to them, in seconds.
    per_second: u128,
    offset_s: i64,
}

fn blocks<'f, E>(
    bytes: &'f [u8],
    mut take: impl FnMut(Result<Frame<'f>, String>) -> Result<(), E>,
) -> Result<(), E> {
    let (mut numbers, mut interfaces) = (Numbers { is_little: true }, Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(&SECTION) {
            numbers.is_little = Numbers { is_little: true }.u32(rest, 8) == Some(ORDER);
            interfaces.clear();
        }
        let Some((kind, body)) = block(rest, numbers) else {
            return take(Err(format!(
                "the block at byte {at} has an impossible length or is cut off; what follows is not read"
            )));
        };
        at += BLOCK + body.len();
        match kind {
            block::INTERFACE => interfaces.push(interface(body, numbers).unwrap_or_else(Interface::unknown)),
            block::ENHANCED | block::PACKET | block::SIMPLE => {
                take(packet(kind, body, numbers, &interfaces))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The type and the body of a block.
fn block(bytes: &[u8], numbers: Numbers) -> Option<(u32, &[u8])> {
    let length = numbers.size(bytes, 4)?;
    let body = bytes.get(8..length.checked_sub(4)?)?;
    let is_sound = length % 4 == 0 && numbers.size(bytes, length - 4)? == length;
    is_sound.then_some((numbers.u32(bytes, 0)?, body))
}

fn interface(body: &[u8], numbers: Numbers) -> Option<Interface> {
    const UNITS: u16 = 9;
    const OFFSET: u16 = 14;
    let mut interface = Interface {
        link: Link::of(numbers.u16(body, 0)?.into()),
        kept_max: numbers.size(body, 4).filter(|max| *max > 0).unwrap_or(usize::MAX),
        per_second: MICROSECONDS,
        offset_s: 0,
    };
    let mut options = &body[8..];
    while let (Some(code @ 1..), Some(length)) = (numbers.u16(options, 0), numbers.u16(options, 2)) {
        let value = options.get(4..4 + usize::from(length))?;
        match (code, value) {
            (UNITS, [units]) => {
                let base = if units & 0x80 == 0 { 10_u128 } else { 2 };
                interface.per_second = base.checked_pow((units & 0x7f).into())?;
            }
            (OFFSET, value) => {
                let (low, high) = (numbers.u32(value, 0)?, numbers.u32(value, 4)?);
                let (low, high) = if numbers.is_little { (low, high) } else { (high, low) };
                interface.offset_s = (u64::from(high) << 32 | u64::from(low)).cast_signed();
            }
            _ => {}
        }
        options = options.get(4 + value.len().next_multiple_of(4)..).unwrap_or_default();
    }
    Some(interface)
}

/// The packet of a block. One without a time is refused: nothing can be said of when it was.
fn packet<'f>(
    kind: u32,
    body: &'f [u8],
    numbers: Numbers,
    interfaces: &[Interface],
) -> Result<Frame<'f>, String> {
    let cut = || "its block is too short".to_owned();
    let number = match kind {
        block::ENHANCED => numbers.size(body, 0),
        block::PACKET => numbers.u16(body, 0).map(usize::from),
        _ => return Err("it has no time (simple packet block), and cannot be judged without".to_owned()),
    };
    let number = number.ok_or_else(cut)?;
    let interface = interfaces
        .get(number)
        .ok_or_else(|| format!("it is of an interface {number} that is not described"))?;
    let word = |at| numbers.u32(body, at).ok_or_else(cut);
    let units = u128::from(word(4)?) << 32 | u128::from(word(8)?);
    let kept = numbers.size(body, 12).and_then(|kept| body.get(20..)?.get(..kept)).ok_or_else(cut)?;
    Ok(Frame {
        time_ms: interface.time_ms(units).ok_or("its time is before 1970 or after the year 9999")?,
        link: interface.link.clone()?,
        kept: &kept[..kept.len().min(interface.kept_max)],
        length: word(16)?.into(),
    })
}

impl Interface {
    /// One of which nothing is known.
    fn unknown() -> Self {
        let link = Err("the description of its interface cannot be read".to_owned());
        Self { link, kept_max: 0, per_second: MICROSECONDS, offset_s: 0 }
    }

    fn time_ms(&self, units: u128) -> Option<u64> {
        let ms = i128::try_from(units.checked_mul(1_000)? / self.per_second).ok()?;
        let ms = u128::try_from(ms + i128::from(self.offset_s) * 1_000).ok()?;
        u64::try_from(ms).ok().filter(|_| ms / 1_000 <= SECOND_MAX)
    }
}

#[cfg(test)]
mod tests;
