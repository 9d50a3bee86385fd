//! Ethernet hardware addresses.

use core::{fmt, str::FromStr};

/// A 48-bit hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

/// Why a text is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a hardware address (write 00-0D-3A-12-34-56 or 00:0d:3a:12:34:56)")]
pub struct MacError(String);

/// Reads twelve hexadecimal digits, plain or in pairs with `-` or `:` between them.
impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let error = || MacError(text.to_owned());
        let digits: Vec<u8> = match text.len() {
            12 => text.bytes().collect(),
            17 if text.bytes().skip(2).step_by(3).all(|b| b == b'-' || b == b':') => {
                text.bytes().enumerate().filter(|(i, _)| i % 3 != 2).map(|(_, b)| b).collect()
            }
            _ => return Err(error()),
        };
        let mut mac = [0; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |b: u8| char::from(b).to_digit(16).ok_or_else(error);
            *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).map_err(|_| error())?;
        }
        Ok(Self(mac))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
