//! Answers that are kept, compared with answers that are found anew.

use std::sync::Arc;

use palisade_analysis::{Limits, Memo, RuleList, diff};
use palisade_classify::generate::Random;
use palisade_model::{Access, EffectivePolicy, Layer, Maybe, Window};
use palisade_net::Direction;

use crate::small::{Maker, NOW};

const WAY: Direction = Direction::Inbound;

fn policies(seed: u64, count: usize) -> Vec<Arc<EffectivePolicy>> {
    let mut maker = Maker { random: Random::new(seed), open: 4 };
    (0..count).map(|_| Arc::new(maker.list(WAY, Layer::NetworkInterface, 8))).collect()
}

/// What is found without a memo.
fn anew(policy: &EffectivePolicy, now: u32) -> palisade_analysis::ListAnswers {
    let list = RuleList::new(policy, WAY, 0, now, Limits::default());
    palisade_analysis::ListAnswers {
        shares: list.shares().expect("it is small"),
        dead: list.dead().expect("it is small"),
        redundant: list.redundant().expect("it is small"),
    }
}

#[test]
fn equal_policies_have_one_answer_and_others_their_own() {
    let mut memo = Memo::default();
    let mut ask = |policy: &Arc<EffectivePolicy>| memo.list(policy, WAY, 0, NOW, Limits::default());
    for policy in policies(31, 40) {
        let found = ask(&policy).expect("it is small");
        assert_eq!(*found, anew(&policy, NOW));
        let copy = Arc::new((*policy).clone());
        assert!(Arc::ptr_eq(&found, &ask(&copy).expect("it is small")));
        assert!(Arc::ptr_eq(&found, &ask(&policy).expect("it is small")));
        // One field of one rule, which the hash of the content does not look at.
        let mut edited = (*policy).clone();
        let rule = &mut edited.inbound[0].rules[0];
        rule.access = Maybe::Known(if rule.access == Maybe::Known(Access::Deny) {
            Access::Allow
        } else {
            Access::Deny
        });
        rule.source_ports = palisade_model::Ports::Unknown;
        let edited = Arc::new(edited);
        assert_eq!(*ask(&edited).expect("it is small"), anew(&edited, NOW));
    }
}

#[test]
fn a_moment_matters_where_a_rule_has_a_window() {
    let mut policy = (*policies(32, 1)[0]).clone();
    let rules = &mut policy.inbound[0].rules;
    rules.iter_mut().for_each(|rule| rule.window = Window::ALWAYS);
    let always = Arc::new(policy.clone());
    policy.inbound[0].rules[0].window = Window::new(Some(NOW), None).expect("it is not empty");
    let later = Arc::new(policy);
    let mut memo = Memo::default();
    let mut ask = |policy: &Arc<EffectivePolicy>, now| {
        memo.list(policy, WAY, 0, now, Limits::default()).expect("it is small")
    };
    assert!(Arc::ptr_eq(&ask(&always, NOW - 1), &ask(&always, NOW)));
    for now in [NOW - 1, NOW] {
        assert_eq!(*ask(&later, now), anew(&later, now));
    }
    assert!(!Arc::ptr_eq(&ask(&later, NOW - 1), &ask(&later, NOW)));
}

#[test]
fn comparisons_are_kept_too_and_the_limit_holds() {
    let all = policies(33, 60);
    let mut memo = Memo::with_limit(10);
    for pair in all.windows(2) {
        let [before, after] = pair else { unreachable!("a window of two is two") };
        let machine = ["10.0.0.4".parse().expect("it is an address")];
        let found =
            memo.diff([before, after], WAY, NOW, &machine, Limits::default()).expect("they are small");
        assert_eq!(Ok((*found).clone()), diff(before, after, WAY, NOW, &machine, Limits::default()));
        let again =
            memo.diff([before, after], WAY, NOW, &machine, Limits::default()).expect("they are small");
        assert!(Arc::ptr_eq(&found, &again));
        memo.list(after, WAY, 0, NOW, Limits::default()).expect("it is small");
        assert!((1..=10).contains(&memo.len()), "{}", memo.len());
    }
    assert!(!memo.is_empty());
}
