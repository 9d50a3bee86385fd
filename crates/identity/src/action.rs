//! Names of actions, such as `Microsoft.Network/networkSecurityGroups/read`, and patterns of them.
//!
//! In a pattern, `*` stands for any text, also for none and over slashes. Case does not count. Reference: "Understand
//! Azure role definitions", section "Actions format".

/// Longest name or pattern, in bytes.
const LENGTH_MAX: usize = 512;

/// Whether `text` can be an action or a pattern of actions.
#[must_use]
pub fn is_action(text: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"./*-_$".contains(&byte);
    !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(fit)
}

/// Whether `pattern` covers `action`.
///
/// Greedy with one step back to the last `*`, which needs no more than the product of the lengths.
#[must_use]
pub fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut p, mut a) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while a < action.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, a));
            p += 1;
        } else if pattern.get(p).is_some_and(|byte| byte.eq_ignore_ascii_case(&action[a])) {
            p += 1;
            a += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            a = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_action, matches};

    /// The definition, by recursion.
    fn naive(pattern: &[u8], action: &[u8]) -> bool {
        match (pattern.split_first(), action.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=action.len()).any(|taken| naive(rest, &action[taken..])),
            (Some((p, pattern)), Some((a, action))) => p.eq_ignore_ascii_case(a) && naive(pattern, action),
            _ => false,
        }
    }

    #[test]
    fn patterns_of_azure() {
        let check = |pattern: &str, action: &str, expect: bool| {
            assert_eq!(matches(pattern, action), expect, "{pattern} {action}");
        };
        check("*", "Microsoft.Network/networkSecurityGroups/read", true);
        check("*/read", "Microsoft.Network/networkSecurityGroups/READ", true);
        check("*/read", "Microsoft.Network/networkSecurityGroups/write", false);
        check("*/read", "read", false);
        check("Microsoft.Network/*", "microsoft.network/networkInterfaces/join/action", true);
        check("Microsoft.Network/*", "Microsoft.NetworkX/a/read", false);
        check("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true);
        check("Microsoft.Authorization/*/Write", "Microsoft.Authorization/write", false);
        check("", "a", false);
    }

    #[test]
    fn what_can_be_an_action() {
        assert!(is_action("Microsoft.Network/*/read"));
        for text in ["", "a b", "a\n", "ä", &"a".repeat(513)] {
            assert!(!is_action(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_agrees_with_the_definition(pattern in "[aB*/]{0,7}", action in "[Ab/]{0,9}") {
            prop_assert_eq!(matches(&pattern, &action), naive(pattern.as_bytes(), action.as_bytes()));
        }
    }
}
