//! A short list of what was seen.
//!
//! It keeps fingerprints, not things, and must not know what they are of.

use super::fetch;

/// Fingerprints of what was seen, up to a limit; then the oldest is forgotten.
///
/// A fingerprint has 32 bits: of 256 different things, one in 130,000 such lists takes two for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    /// The first ones lie here: most lists stay short, and an allocation would cost more than all else.
    few: [u32; Self::FEW],
    len: u16,
    next: u16,
    /// All of them, once they were more; as long as there is room.
    many: Box<[u32]>,
}

impl Recent {
    const FEW: usize = 5;

    /// Whether it was not there; it is now. `limit` must be the same each time, and fit 16 bits.
    pub(crate) fn insert(&mut self, print: u32, limit: usize) -> bool {
        if self.prints().contains(&print) {
            return false;
        }
        let len = self.len();
        if len >= limit {
            let next = usize::from(self.next);
            self.room()[next] = print;
            self.next = ((next + 1) % limit) as u16;
            return true;
        }
        if len == self.room().len() {
            let mut many = vec![0; (2 * len).clamp(16.min(limit), limit)];
            many[..len].copy_from_slice(self.prints());
            self.many = many.into();
        }
        self.room()[len] = print;
        self.len += 1;
        true
    }

    /// Asks for all of them, where they are many.
    pub(crate) fn ask_for(&self) {
        self.many.iter().step_by(16).for_each(fetch);
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.prints().iter().copied()
    }

    /// How many are there.
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Forgets all.
    pub(crate) const fn clear(&mut self) {
        (self.len, self.next) = (0, 0);
    }

    fn prints(&self) -> &[u32] {
        let room = if self.many.is_empty() { &self.few[..] } else { &self.many };
        &room[..self.len()]
    }

    fn room(&mut self) -> &mut [u32] {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recent_list_forgets_the_oldest() {
        let mut recent = Recent::default();
        assert!((0..3).all(|print| recent.insert(print, 3)));
        assert!(!recent.insert(0, 3));
        assert!(recent.insert(9, 3), "takes the place of 0");
        assert!(recent.insert(0, 3), "takes the place of 1");
        assert!(!recent.insert(2, 3));
        assert_eq!(recent.len(), 3);
    }

    #[test]
    fn a_recent_list_is_a_queue_of_distinct_things() {
        for limit in 1..20 {
            let (mut recent, mut queue) = (Recent::default(), Vec::new());
            for step in 0..400_u32 {
                let print = step * step * 7 % 31;
                let is_new = !queue.contains(&print);
                if is_new {
                    queue.push(print);
                    queue.drain(..queue.len().saturating_sub(limit));
                }
                assert_eq!(recent.insert(print, limit), is_new, "limit {limit}, step {step}");
                assert_eq!(recent.len(), queue.len());
                if step == 200 {
                    recent.clear();
                    queue.clear();
                }
            }
        }
    }
}
