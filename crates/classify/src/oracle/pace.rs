//! The rate of new destinations, written to be read.
//!
//! A machine begins things freely with the destinations that it began something with last; any other costs one of the tokens that
//! come at an even rate, and takes the place of the one that was not used for longest. The kernel's is `bpf/pace.h`.

use std::net::IpAddr;

/// What a throttle remembers. Times are in nanoseconds, of a clock that does not go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Time that earns a token.
    interval: u64,
    /// Addresses of the working set, and tokens that can be saved.
    size: usize,
    /// Time that is saved, and until when it was counted.
    saved: u64,
    counted: u64,
    /// The working set, the one used last behind.
    recent: Vec<IpAddr>,
}

impl Pace {
    /// A throttle that has seen nothing: all tokens are there.
    pub const fn new(interval: u64, size: usize) -> Self {
        Self { interval, size, saved: interval.saturating_mul(size as u64), counted: 0, recent: Vec::new() }
    }

    /// Whether this destination is of the working set.
    pub fn knows(&self, destination: IpAddr) -> bool {
        self.recent.contains(&destination.to_canonical())
    }

    /// Whether something may begin with this destination now.
    pub fn admits(&mut self, now: u64, destination: IpAddr) -> bool {
        let destination = destination.to_canonical();
        let all = self.interval.saturating_mul(self.size as u64);
        self.saved = all.min(self.saved.saturating_add(now.saturating_sub(self.counted)));
        self.counted = now;
        if let Some(place) = self.recent.iter().position(|known| *known == destination) {
            self.recent.remove(place);
        } else if self.saved >= self.interval {
            self.saved -= self.interval;
            if self.recent.len() == self.size {
                self.recent.remove(0);
            }
        } else {
            return false;
        }
        self.recent.push(destination);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn host(number: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, number).into()
    }

    #[test]
    fn a_scan_is_slowed_down_and_work_goes_on() {
        let mut pace = Pace::new(SECOND, 5);
        let at_once = (0..50).filter(|number| pace.admits(0, host(*number))).count();
        assert_eq!(at_once, 5);
        // The first five are the working set; one more costs the token of a second.
        assert!((0..5).all(|number| pace.admits(SECOND / 2, host(number))));
        assert!(!pace.admits(SECOND - 1, host(9)) && pace.admits(SECOND, host(9)));
        // It has taken the place of the one that was not used for longest.
        assert!(!pace.admits(SECOND, host(0)) && pace.admits(SECOND, host(1)));
    }

    #[test]
    fn a_mapped_address_is_the_one_that_it_maps() {
        let mut pace = Pace::new(SECOND, 1);
        assert!(pace.admits(0, host(1)));
        assert!(pace.admits(0, Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into()));
        assert!(!pace.admits(0, host(2)));
    }

    proptest! {
        /// Between any two moments no more new destinations pass than tokens can be saved and earned, whatever is asked; and the
        /// last ones always pass.
        #[test]
        fn no_more_pass_than_the_rate_allows(
            size in 1_usize..8,
            asked in prop::collection::vec((0_u64..2 * SECOND, 0_u8..20), 1..200),
        ) {
            let mut pace = Pace::new(SECOND, size);
            let (mut now, mut new) = (0, Vec::new());
            for (later, number) in asked {
                now += later;
                let known = pace.recent.contains(&host(number));
                let passes = pace.admits(now, host(number));
                prop_assert!(passes || !known);
                prop_assert!(pace.recent.len() <= size && passes == (pace.recent.last() == Some(&host(number))));
                if passes && !known {
                    new.push(now);
                }
            }
            for (first, from) in new.iter().enumerate() {
                for (last, until) in new.iter().enumerate().skip(first) {
                    prop_assert!((last - first + 1) as u64 <= size as u64 + (until - from) / SECOND);
                }
            }
        }
    }
}
