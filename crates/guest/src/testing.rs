//! Hives for tests: a tree of keys and values written as Windows writes it, in one bin.

use crate::registry::checksum_for_tests as checksum;

const BASE: usize = 4_096;
const NARROW_KEY: u16 = 0x20;

/// A key with its values and the keys below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    name: String,
    values: Vec<(String, u32, Vec<u8>)>,
    keys: Vec<Node>,
}

impl Node {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The node of a path below, made where there is none.
    pub(crate) fn at(&mut self, path: &str) -> &mut Self {
        path.split('\\').filter(|name| !name.is_empty()).fold(self, |node, name| {
            let place = node.keys.iter().position(|key| key.name.eq_ignore_ascii_case(name));
            let place = place.unwrap_or_else(|| {
                node.keys.push(Self::new(name));
                node.keys.len() - 1
            });
            &mut node.keys[place]
        })
    }

    pub(crate) fn set(&mut self, name: &str, kind: u32, data: impl Into<Vec<u8>>) -> &mut Self {
        self.values.retain(|(own, _, _)| own != name);
        self.values.push((name.to_owned(), kind, data.into()));
        self
    }

    pub(crate) fn number(&mut self, name: &str, number: u32) -> &mut Self {
        self.set(name, 4, number.to_le_bytes())
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let wide: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        self.set(name, 1, wide)
    }

    /// The hive whose root it is.
    pub(crate) fn hive(&self) -> Vec<u8> {
        let mut bins = Bins(vec![0; 32]);
        let root = bins.key(self);
        bins.finish(root)
    }
}

/// Everything behind the base block.
struct Bins(Vec<u8>);

impl Bins {
    fn cell(&mut self, content: &[u8]) -> u32 {
        let offset = self.0.len();
        let size = (content.len() + 4).next_multiple_of(8);
        self.0.extend((-i32::try_from(size).unwrap()).to_le_bytes());
        self.0.extend(content);
        self.0.resize(offset + size, 0);
        u32::try_from(offset).unwrap()
    }

    fn key(&mut self, node: &Node) -> u32 {
        let keys: Vec<u32> = node.keys.iter().map(|key| self.key(key)).collect();
        let values: Vec<u32> = node.values.iter().map(|value| self.value(value)).collect();
        let key_list = self.list(b"lh", &keys);
        let values_flat: Vec<u8> = values.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        let value_list = if values.is_empty() { u32::MAX } else { self.cell(&values_flat) };
        let mut cell = vec![0; 76];
        let mut put = |at: usize, number: u32| cell[at..at + 4].copy_from_slice(&number.to_le_bytes());
        put(20, u32::try_from(keys.len()).unwrap());
        put(28, key_list);
        put(32, u32::MAX);
        put(36, u32::try_from(values.len()).unwrap());
        put(40, value_list);
        put(72, u32::try_from(node.name.len()).unwrap());
        cell[..2].copy_from_slice(b"nk");
        cell[2..4].copy_from_slice(&NARROW_KEY.to_le_bytes());
        cell.extend(node.name.as_bytes());
        self.cell(&cell)
    }

    /// A list of keys; from five on as a list of lists, so that both are read.
    fn list(&mut self, magic: &[u8; 2], keys: &[u32]) -> u32 {
        if keys.is_empty() {
            return u32::MAX;
        }
        if keys.len() > 4 {
            let parts: Vec<u32> = keys.chunks(4).map(|part| self.list(magic, part)).collect();
            let mut cell = [b"ri".as_slice(), &u16::try_from(parts.len()).unwrap().to_le_bytes()].concat();
            cell.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
            return self.cell(&cell);
        }
        let mut cell = [magic.as_slice(), &u16::try_from(keys.len()).unwrap().to_le_bytes()].concat();
        cell.extend(keys.iter().flat_map(|key| [key.to_le_bytes(), [0; 4]].concat()));
        self.cell(&cell)
    }

    fn value(&mut self, (name, kind, data): &(String, u32, Vec<u8>)) -> u32 {
        let length = u32::try_from(data.len()).unwrap();
        let (size, place) = match data.len() {
            0..=4 => {
                let mut word = [0; 4];
                word[..data.len()].copy_from_slice(data);
                (length | 1 << 31, u32::from_le_bytes(word))
            }
            5..=16_344 => (length, self.cell(data)),
            _ => (length, self.split(data)),
        };
        let mut cell = b"vk".to_vec();
        cell.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        cell.extend([size, place, *kind].iter().flat_map(|word| word.to_le_bytes()));
        cell.extend([1, 0, 0, 0]);
        cell.extend(name.as_bytes());
        self.cell(&cell)
    }

    fn split(&mut self, data: &[u8]) -> u32 {
        let segments: Vec<u8> = data.chunks(16_344).flat_map(|part| self.cell(part).to_le_bytes()).collect();
        let list = self.cell(&segments);
        let count = u16::try_from(segments.len() / 4).unwrap();
        self.cell(&[b"db".as_slice(), &count.to_le_bytes(), &list.to_le_bytes()].concat())
    }

    fn finish(self, root: u32) -> Vec<u8> {
        let mut bins = self.0;
        bins.resize(bins.len().next_multiple_of(4_096), 0);
        let length = u32::try_from(bins.len()).unwrap();
        bins[..4].copy_from_slice(b"hbin");
        bins[8..12].copy_from_slice(&length.to_le_bytes());
        let mut base = vec![0; BASE];
        base[..4].copy_from_slice(b"regf");
        let words = [(4, 7), (8, 7), (20, 1), (24, 5), (32, 1), (36, root), (40, length), (44, 1)];
        for (at, number) in words {
            base[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
        }
        seal(&mut base);
        [base, bins].concat()
    }
}

/// Writes the checksum of a base block.
pub(crate) fn seal(base: &mut [u8]) {
    let sum = checksum(base);
    base[508..512].copy_from_slice(&sum.to_le_bytes());
}
