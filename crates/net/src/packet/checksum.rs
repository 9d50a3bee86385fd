//! The Internet checksum (RFC 1071) and the pseudo headers that TCP, UDP and ICMPv6 add to it.

use std::net::IpAddr;

use crate::Protocol;

/// A running ones' complement sum of 16-bit words. 64 bits do not overflow on anything that fits into a packet.
#[derive(Clone, Copy, Default)]
pub(super) struct Checksum(u64);

impl Checksum {
    /// A sum that starts with the pseudo header of a packet whose transport part has `length` bytes.
    pub(super) fn with_pseudo_header(
        source: IpAddr,
        destination: IpAddr,
        protocol: Protocol,
        length: usize,
    ) -> Self {
        let sum = Self::default().address(source).address(destination);
        Self(sum.0 + u64::from(protocol.0) + length as u64)
    }

    fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(a) => self.add(&a.octets()),
            IpAddr::V6(a) => self.add(&a.octets()),
        }
    }

    /// Adds bytes; an odd last one counts as the high half of a word.
    pub(super) fn add(self, bytes: &[u8]) -> Self {
        let words = bytes.chunks(2).map(|pair| match *pair {
            [high, low] => u64::from(u16::from_be_bytes([high, low])),
            [high] => u64::from(high) << 8,
            _ => 0,
        });
        Self(self.0 + words.sum::<u64>())
    }

    /// The checksum field's value.
    pub(super) fn finish(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        (!u16::try_from(sum).expect("the carries were folded in")).to_be_bytes()
    }
}
