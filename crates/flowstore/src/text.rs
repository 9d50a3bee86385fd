//! Numbers and addresses as text, fast: a store writes millions a second.

use std::{
    io::{Cursor, Write as _},
    net::{IpAddr, Ipv4Addr},
};

/// A place to write one text into.
pub(crate) struct Buffer([u8; 48]);

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self([0; 48])
    }

    /// An address as the standard library prints it (RFC 5952 for IPv6).
    pub(crate) fn address(&mut self, address: IpAddr) -> &str {
        let length = match address {
            IpAddr::V4(v4) => {
                let mut at = 0;
                for (place, octet) in v4.octets().into_iter().enumerate() {
                    if place > 0 {
                        self.0[at] = b'.';
                        at += 1;
                    }
                    at = self.octet(octet, at);
                }
                at
            }
            IpAddr::V6(v6) => {
                let mut cursor = Cursor::new(self.0.as_mut_slice());
                write!(cursor, "{v6}").expect("an address has 45 characters at most");
                cursor.position() as usize
            }
        };
        std::str::from_utf8(&self.0[..length]).expect("addresses are ASCII")
    }

    fn octet(&mut self, octet: u8, mut at: usize) -> usize {
        let mut digit = |value: u8| {
            self.0[at] = b'0' + value;
            at += 1;
        };
        if octet >= 100 {
            digit(octet / 100);
        }
        if octet >= 10 {
            digit(octet / 10 % 10);
        }
        digit(octet % 10);
        at
    }
}

/// The address of a text; as the standard library reads it, and several times as fast where it is one of IPv4.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    v4(text.as_bytes()).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))).or_else(|| text.parse().ok())
}

/// Four numbers without leading zeros and dots between them.
fn v4(text: &[u8]) -> Option<u32> {
    let (mut bits, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits == 0 || (octet > 0 && digits < 3) => {
                octet = 10 * octet + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 && dots < 3 => {
                bits = bits << 8 | octet;
                (octet, digits) = (0, 0);
                dots += 1;
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && octet < 256).then_some(bits << 8 | octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        let mut buffer = Buffer::new();
        for octet in 0..=255 {
            for bytes in [[octet, 0, 255, octet], [9, octet, 10, 99]] {
                let address = IpAddr::from(bytes);
                assert_eq!(buffer.address(address), address.to_string());
            }
        }
        for text in ["::", "2001:db8::1", "::ffff:10.0.0.1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert_eq!(buffer.address(text.parse().expect("an address")), text);
        }
    }

    #[test]
    fn texts_are_read_as_by_the_standard_library() {
        for octet in 0..=300 {
            for text in
                [format!("{octet}.0.255.{octet}"), format!("9.{octet}.10.99"), format!("9.9.{octet:02}.9")]
            {
                assert_eq!(address(&text), text.parse().ok(), "{text}");
            }
        }
        let others = [
            "",
            "1",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "1.2.3.4 ",
            "1.2.3.0004",
            "::",
            "::ffff:1.2.3.4",
            "é",
        ];
        for text in others {
            assert_eq!(address(text), text.parse().ok(), "{text}");
        }
    }
}
