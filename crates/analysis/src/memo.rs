//! Answers that are kept, so that after an edit only what it concerns is asked again.
//!
//! What is asked about is compared by content, so that an estate that was read anew finds the answers of the one before; a
//! hash merely says where to look. It must not know where policies come from. Invariant: an answer is given again only for
//! equal rules, limits and addresses at a moment that is the same to every rule.

use std::{hash::Hasher, net::IpAddr, sync::Arc};

use palisade_model::{EffectiveLayer, EffectivePolicy, Window};
use palisade_net::Direction;

use crate::{
    AnalysisError, Diff, Hidden, Limits, RuleList, Shares, diff,
    rows::{FastMap, Mixer},
};

/// What is asked of one rule list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAnswers {
    /// How many packets each rule matches and decides.
    pub shares: Shares,
    /// Rules that never decide, with what hides them.
    pub dead: Vec<(usize, Hidden)>,
    /// Rules that could each be removed without a change.
    pub redundant: Vec<usize>,
}

/// Answers by what was asked.
///
/// Callers that keep a policy in the same [`Arc`] while it does not change are answered without its content being looked at.
#[derive(Debug, Default)]
pub struct Memo {
    /// Policies that were asked about, by a hash of their content.
    policies: FastMap<u64, Vec<Known>>,
    /// The hash and number of the content at an address. Each is held, so none is used for another meanwhile.
    places: FastMap<usize, Held>,
    lists: FastMap<ListKey, Kept<ListAnswers>>,
    diffs: FastMap<DiffKey, Kept<Diff>>,
    next: u32,
    clock: u64,
    limit: Option<usize>,
}

/// The number of a policy's content, for as long as a memo lives.
type Content = u32;

#[derive(Debug)]
struct Known {
    content: Content,
    policy: Arc<EffectivePolicy>,
}

#[derive(Debug)]
struct Held {
    content: Content,
    _policy: Arc<EffectivePolicy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ListKey {
    content: Content,
    place: (Direction, usize),
    moment: u32,
    limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct DiffKey {
    contents: [Content; 2],
    direction: Direction,
    moment: u32,
    machine: Vec<IpAddr>,
    limits: Limits,
}

#[derive(Debug)]
struct Kept<T> {
    answer: Arc<T>,
    /// When it was asked for last.
    used: u64,
}

impl Memo {
    /// So many answers are kept unless another limit is given.
    pub const ANSWERS: usize = 4_096;

    /// A memo that keeps at most `answers` answers, at least one; the least recently asked ones go first.
    pub fn with_limit(answers: usize) -> Self {
        Self { limit: Some(answers.max(1)), ..Self::default() }
    }

    /// How many answers it has.
    pub fn len(&self) -> usize {
        self.lists.len() + self.diffs.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is asked of the list of layer `index` of a policy, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`AnalysisError`]; errors are not kept.
    ///
    /// # Panics
    /// If the policy has no such layer.
    pub fn list(
        &mut self,
        policy: &Arc<EffectivePolicy>,
        direction: Direction,
        index: usize,
        now: u32,
        limits: Limits,
    ) -> Result<Arc<ListAnswers>, AnalysisError> {
        let moment = moment([&**policy], direction, now);
        let key = ListKey { content: self.content(policy), place: (direction, index), moment, limits };
        let used = self.tick();
        if let Some(kept) = self.lists.get_mut(&key) {
            kept.used = used;
            return Ok(kept.answer.clone());
        }
        let list = RuleList::new(policy, direction, index, now, limits);
        let answer = ListAnswers { shares: list.shares()?, dead: list.dead()?, redundant: list.redundant()? };
        let answer = Arc::new(answer);
        self.lists.insert(key, Kept { answer: answer.clone(), used });
        self.forget();
        Ok(answer)
    }

    /// [`diff`].
    ///
    /// # Errors
    /// [`AnalysisError`]; errors are not kept.
    pub fn diff(
        &mut self,
        [before, after]: [&Arc<EffectivePolicy>; 2],
        direction: Direction,
        now: u32,
        machine: &[IpAddr],
        limits: Limits,
    ) -> Result<Arc<Diff>, AnalysisError> {
        let moment = moment([&**before, &**after], direction, now);
        let contents = [self.content(before), self.content(after)];
        let key = DiffKey { contents, direction, moment, machine: machine.to_vec(), limits };
        let used = self.tick();
        if let Some(kept) = self.diffs.get_mut(&key) {
            kept.used = used;
            return Ok(kept.answer.clone());
        }
        let answer = Arc::new(diff(before, after, direction, now, machine, limits)?);
        self.diffs.insert(key, Kept { answer: answer.clone(), used });
        self.forget();
        Ok(answer)
    }

    const fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// The number of a policy's content.
    fn content(&mut self, policy: &Arc<EffectivePolicy>) -> Content {
        let address = Arc::as_ptr(policy) as usize;
        if let Some(held) = self.places.get(&address) {
            return held.content;
        }
        let alike = self.policies.entry(digest(policy)).or_default();
        let known = alike.iter().find(|known| known.policy == *policy).map(|known| known.content);
        let content = known.unwrap_or_else(|| {
            self.next += 1;
            alike.push(Known { content: self.next, policy: policy.clone() });
            self.next
        });
        self.places.insert(address, Held { content, _policy: policy.clone() });
        content
    }

    /// Lets go of answers beyond the limit, the least recently asked first, and of policies that none is about. It goes down to
    /// half of the limit, so that it need not be done at every question.
    fn forget(&mut self) {
        let limit = self.limit.unwrap_or(Self::ANSWERS);
        if self.len() > limit {
            let lists = self.lists.values().map(|kept| kept.used);
            let mut used: Vec<u64> = lists.chain(self.diffs.values().map(|kept| kept.used)).collect();
            used.sort_unstable();
            let oldest = used[used.len() - (limit / 2).max(1)];
            self.lists.retain(|_, kept| kept.used >= oldest);
            self.diffs.retain(|_, kept| kept.used >= oldest);
        }
        // Each answer is about two policies at most, and each is mostly at one address.
        if self.places.len() > 4 * limit.max(self.len()) {
            self.let_go_of_policies();
        }
    }

    fn let_go_of_policies(&mut self) {
        let of_lists = self.lists.keys().map(|key| key.content);
        let of_diffs = self.diffs.keys().flat_map(|key| key.contents);
        let used: std::collections::HashSet<Content> = of_lists.chain(of_diffs).collect();
        self.places.clear();
        for alike in self.policies.values_mut() {
            alike.retain(|known| used.contains(&known.content));
        }
        self.policies.retain(|_, alike| !alike.is_empty());
    }
}

/// What of a moment can matter: nothing, if every rule is always in force.
fn moment<const N: usize>(policies: [&EffectivePolicy; N], direction: Direction, now: u32) -> u32 {
    let layers = policies.into_iter().flat_map(|policy| policy.layers(direction));
    let mut rules = layers.flat_map(|layer| &layer.rules);
    if rules.all(|rule| rule.window == Window::ALWAYS) { 0 } else { now }
}

/// A hash of some of a policy's content: policies that are equal have the same.
fn digest(policy: &EffectivePolicy) -> u64 {
    let mut mixer = Mixer::default();
    let layers: Vec<&EffectiveLayer> = policy.inbound.iter().chain(&policy.outbound).collect();
    for rule in layers.iter().flat_map(|layer| &layer.rules) {
        mixer.write(rule.name.as_bytes());
        mixer.write_usize(rule.access.known().map_or(0, |access| 1 + access as usize));
        for set in [rule.source.may(), rule.destination.may()] {
            mixer.write_usize(set.v4().ranges().len());
            let ends = set.v4().ranges().iter().take(2);
            ends.for_each(|(first, last)| mixer.write_u64(u64::from(*first) << 32 | u64::from(*last)));
        }
    }
    layers.iter().for_each(|layer| mixer.write_usize(layer.rules.len()));
    mixer.finish()
}
