//! Token buckets, one for each address and each principal.
//!
//! A bucket that is full again says nothing and is forgotten; the table is bounded, and when it is full of buckets that
//! are not, newcomers share one, so that many addresses cannot buy more than one table of buckets.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Most buckets of one table.
pub(super) const BUCKETS_MAX: usize = 16_384;

/// How often, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once after a rest.
    pub burst: u32,
}

/// Requests that are left to one client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    left: f64,
    seen: Instant,
    /// Whether the last answer was a refusal, which is told to the operator once.
    is_refusing: bool,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { left: f64::from(rate.burst), seen: now, is_refusing: false }
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let gained = now.saturating_duration_since(self.seen).as_secs_f64() * f64::from(rate.per_second);
        self.left = (self.left + gained).min(f64::from(rate.burst));
        self.seen = now;
    }

    /// Takes one request out. Told is whether there was one, and whether this is the first that there was not.
    fn take(&mut self, rate: Rate, now: Instant) -> Taken {
        self.refill(rate, now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            self.is_refusing = false;
            return Taken::Granted;
        }
        if std::mem::replace(&mut self.is_refusing, true) { Taken::Refused } else { Taken::RefusedFirst }
    }
}

/// What came out of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// One request.
    Granted,
    /// None, for the first time since the bucket had one.
    RefusedFirst,
    /// None.
    Refused,
}

#[derive(Debug)]
struct Table {
    rate: Rate,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    by_name: HashMap<String, Bucket>,
    /// When full buckets were last thrown away: looking at all of them for each newcomer would cost what it is to save.
    swept: Option<Instant>,
}

/// How often full buckets are thrown away at most.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Table {
    fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    fn take(&self, who: &str, now: Instant) -> Taken {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.by_name.get_mut(who) {
            return bucket.take(self.rate, now);
        }
        if buckets.by_name.len() >= BUCKETS_MAX && buckets.swept.is_none_or(|last| now - last >= SWEEP_EVERY)
        {
            buckets.swept = Some(now);
            buckets.by_name.retain(|_, bucket| {
                bucket.refill(self.rate, now);
                bucket.left < f64::from(self.rate.burst)
            });
        }
        let key = if buckets.by_name.len() < BUCKETS_MAX { who } else { "" };
        let bucket = buckets.by_name.entry(key.to_owned()).or_insert_with(|| Bucket::full(self.rate, now));
        bucket.take(self.rate, now)
    }
}

/// The buckets of a server.
#[derive(Debug)]
pub struct Rates {
    addresses: Table,
    principals: Table,
}

impl Rates {
    /// Buckets of these sizes.
    pub fn new(per_address: Rate, per_principal: Rate) -> Self {
        Self { addresses: Table::new(per_address), principals: Table::new(per_principal) }
    }

    pub(crate) fn address(&self, who: &str, now: Instant) -> Taken {
        self.addresses.take(who, now)
    }

    pub(crate) fn principal(&self, who: &str, now: Instant) -> Taken {
        self.principals.take(who, now)
    }
}
