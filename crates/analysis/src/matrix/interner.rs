//! Small numbers for equal words: each distinct outcome of a matrix is kept once.
//!
//! An open-addressing table over one flat vector, since millions of cells ask it. It must not know what the words mean.
//! Invariant: two numbers are equal exactly where their words are; a hash only says where to look.

/// Sequences of words of one length, by number.
#[derive(Debug, Clone)]
pub(super) struct Interner {
    width: usize,
    words: Vec<u64>,
    /// Number and one, or 0 for a free place; the length is a power of two.
    slots: Vec<u32>,
}

impl Interner {
    /// No sequence yet, of `width` words each.
    pub(super) fn new(width: usize) -> Self {
        Self { width, words: Vec::new(), slots: vec![0; 1024] }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.words.len() / self.width
    }

    /// The words of a number.
    pub(super) fn get(&self, number: u32) -> &[u64] {
        let start = number as usize * self.width;
        &self.words[start..start + self.width]
    }

    /// The words of every number, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u64]> {
        self.words.chunks(self.width.max(1))
    }

    /// The number of some words.
    pub(super) fn number(&mut self, words: &[u64]) -> u32 {
        let mask = self.slots.len() - 1;
        let mut place = hash(words) as usize & mask;
        loop {
            match self.slots[place].checked_sub(1) {
                Some(number) if self.get(number) == words => return number,
                Some(_) => place = (place + 1) & mask,
                None => break,
            }
        }
        let number = u32::try_from(self.len()).expect("fewer outcomes than 32 bits count");
        self.words.extend_from_slice(words);
        self.slots[place] = number + 1;
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Bytes on the heap.
    pub(super) const fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.slots.capacity() * size_of::<u32>()
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0; mask + 1];
        for (number, words) in self.words.chunks(self.width).enumerate() {
            let mut place = hash(words) as usize & mask;
            while slots[place] != 0 {
                place = (place + 1) & mask;
            }
            slots[place] = u32::try_from(number + 1).expect("fewer outcomes than 32 bits count");
        }
        self.slots = slots;
    }
}

/// Mixes words by multiplication (the constant of Fibonacci hashing), high bits folded to the low ones that are used.
fn hash(words: &[u64]) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = words.iter().fold(0u64, |state, word| {
        let state = (state.rotate_left(23) ^ word).wrapping_mul(GOLDEN);
        state ^ (state >> 32)
    });
    mixed ^ (mixed >> 17)
}
