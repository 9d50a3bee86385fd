//! `uniqueString` and `guid`: the real algorithms, so that names agree with Azure's.
//!
//! `guid` is a version 5 UUID (RFC 9562) in a namespace of Azure's, over the arguments joined by dashes.
//! `uniqueString` writes a 64-bit Murmur hash of the same joined text as 13 characters of base 32. The hash is
//! the 32-bit-at-a-time variant with two lanes that public re-implementations of the function agree on; the
//! tests hold known answers of both.

use sha1::{Digest, Sha1};

use super::{Call, Function, MANY, Needs};
use crate::template::problem::Fault;
use crate::template::value::{Data, Type};

pub(super) const FUNCTIONS: &[Function] = &[
    text("uniqueString", |call| call.text(unique_string(&joined(call)?))),
    text("guid", |call| call.text(name_uuid(&joined(call)?))),
];

const fn text(name: &'static str, run: fn(&Call<'_>) -> Result<Data, Fault>) -> Function {
    Function { name, args: (1, MANY), needs: Needs::All, returns: Some(Type::String), run }
}

/// The namespace of `guid`, 11fb06fb-712d-4ddd-98c7-e71bbd588830.
const GUID_NAMESPACE: [u8; 16] =
    [0x11, 0xfb, 0x06, 0xfb, 0x71, 0x2d, 0x4d, 0xdd, 0x98, 0xc7, 0xe7, 0x1b, 0xbd, 0x58, 0x88, 0x30];

fn joined(call: &Call<'_>) -> Result<String, Fault> {
    let parts: Vec<&str> = (0..call.args.len()).map(|index| call.str(index)).collect::<Result<_, _>>()?;
    call.budget.charge_text(parts.iter().map(|part| part.len() + 1).sum())?;
    Ok(parts.join("-"))
}

/// What `guid` gives for the joined arguments.
pub(in crate::template) fn name_uuid(name: &str) -> String {
    let digest = Sha1::new().chain_update(GUID_NAMESPACE).chain_update(name).finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0F | 0x50;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let number = u128::from_be_bytes(bytes);
    let field = |shift: u32| (number >> shift) as u16;
    let (first, last) = ((number >> 96) as u32, number & 0xffff_ffff_ffff);
    format!("{first:08x}-{:04x}-{:04x}-{:04x}-{last:012x}", field(80), field(64), field(48))
}

/// What `uniqueString` gives for the joined arguments.
fn unique_string(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = murmur(text.as_bytes());
    let mut out = String::with_capacity(13);
    for _ in 0..13 {
        out.push(char::from(ALPHABET[(hash >> 59) as usize]));
        hash <<= 5;
    }
    out
}

const C1: u32 = 0x239b_961b;
const C2: u32 = 0xab0e_9789;
const C3: u32 = 0x561c_cd1b;
const C4: u32 = 0x0bca_a747;

/// Two 32-bit lanes over eight bytes at a time, then the tail, then a final mix.
fn murmur(data: &[u8]) -> u64 {
    let (mut h1, mut h2) = (0_u32, 0_u32);
    let mut blocks = data.chunks_exact(8);
    for block in &mut blocks {
        h1 ^= scramble(little_endian(&block[..4]), C1, 15, C2);
        h1 = h1.rotate_left(19).wrapping_add(h2).wrapping_mul(5).wrapping_add(C3);
        h2 ^= scramble(little_endian(&block[4..]), C2, 17, C1);
        h2 = h2.rotate_left(13).wrapping_add(h1).wrapping_mul(5).wrapping_add(C4);
    }
    let tail = blocks.remainder();
    let (low, high) = tail.split_at(tail.len().min(4));
    if !low.is_empty() {
        h1 ^= scramble(little_endian(low), C1, 15, C2);
    }
    if !high.is_empty() {
        h2 ^= scramble(little_endian(high), C2, 17, C1);
    }
    // Lengths are limited to far less than 4 GiB.
    let length = data.len() as u32;
    (h1, h2) = crossed(h1 ^ length, h2 ^ length);
    (h1, h2) = crossed(mixed(h1), mixed(h2));
    u64::from(h2) << 32 | u64::from(h1)
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn scramble(k: u32, first: u32, rotation: u32, second: u32) -> u32 {
    k.wrapping_mul(first).rotate_left(rotation).wrapping_mul(second)
}

fn crossed(h1: u32, h2: u32) -> (u32, u32) {
    let h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

fn mixed(mut h: u32) -> u32 {
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}
