//! Numbers for new rules: free ones, with gaps, and the old one for a rule that was there before.
//!
//! It must not know what rules do.

use std::collections::{BTreeSet, HashMap};

/// What lies between two rules that have a number each, as far as there is room.
const GAP: u16 = 10;

/// Which end of the free numbers is taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Lowest,
    Highest,
}

/// Numbers strictly between `low` and `high`, one a name, in the order of the names where they are new. `before` holds the
/// numbers that names had. `None` if there are too few.
pub(crate) fn numbers(
    names: &[&str],
    before: &HashMap<String, u16>,
    (low, high): (u16, u16),
    from: From,
) -> Option<Vec<u16>> {
    let room = usize::from(high.saturating_sub(low).saturating_sub(1));
    if names.len() > room {
        return None;
    }
    let mut used = BTreeSet::new();
    let kept: Vec<Option<u16>> = names
        .iter()
        .map(|name| {
            before
                .get(*name)
                .copied()
                .filter(|number| *number > low && *number < high && used.insert(*number))
        })
        .collect();
    let wanted = kept.iter().filter(|number| number.is_none()).count();
    let gap = u16::try_from(room / names.len().max(1)).unwrap_or(GAP).clamp(1, GAP);
    let mut free: Vec<u16> =
        candidates((low, high), gap, from).filter(|number| !used.contains(number)).take(wanted).collect();
    let dense = candidates((low, high), 1, from);
    for number in dense {
        if free.len() == wanted {
            break;
        }
        if !used.contains(&number) && !free.contains(&number) {
            free.push(number);
        }
    }
    free.sort_unstable();
    let mut free = free.into_iter();
    kept.into_iter().map(|number| number.or_else(|| free.next())).collect()
}

/// Every `gap`th number, from one end.
fn candidates((low, high): (u16, u16), gap: u16, from: From) -> impl Iterator<Item = u16> {
    let steps = (1..=u16::MAX).map_while(move |step| step.checked_mul(gap));
    let numbers = steps.map_while(move |offset| match from {
        From::Lowest => low.checked_add(offset),
        From::Highest => high.checked_sub(offset),
    });
    numbers.take_while(move |number| *number > low && *number < high)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{From, numbers};

    fn plain(count: usize, bounds: (u16, u16), from: From) -> Option<Vec<u16>> {
        let names: Vec<String> = (0..count).map(|n| format!("r{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        numbers(&names, &HashMap::new(), bounds, from)
    }

    #[test]
    fn there_are_gaps_while_there_is_room() {
        assert_eq!(plain(3, (99, 4096), From::Lowest), Some(vec![109, 119, 129]));
        assert_eq!(plain(3, (200, 4000), From::Highest), Some(vec![3970, 3980, 3990]));
        assert_eq!(plain(3, (3990, 4000), From::Highest), Some(vec![3991, 3994, 3997]));
        assert_eq!(plain(9, (3990, 4000), From::Highest), Some((3991..4000).collect()));
        assert_eq!(plain(10, (3990, 4000), From::Highest), None);
        assert_eq!(plain(0, (3999, 4000), From::Highest), Some(Vec::new()));
    }

    #[test]
    fn a_rule_that_was_there_keeps_its_number() {
        let before = HashMap::from([("b".to_owned(), 3990), ("c".to_owned(), 150)]);
        let found = numbers(&["a", "b", "c", "d"], &before, (200, 4000), From::Highest);
        assert_eq!(found, Some(vec![3960, 3990, 3970, 3980]), "c stood where another rule is asked first");
    }
}
