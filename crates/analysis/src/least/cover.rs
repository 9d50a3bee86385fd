//! Few sets that together hold all points: greedy weighted set cover (Chvátal, 1979).
//!
//! Each step takes the candidate that costs least for each point that it adds, and in the end what the others hold already is
//! dropped. That is at most `ln n + 1` times the least weight, and mostly the least (`tests`). It must not know what points are.
//! Invariant: the same input gives the same choice; among equals the first candidate wins.

#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::BinaryHeap};

/// A set that may be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// What it costs; above zero.
    pub(crate) weight: f64,
    /// Points that it holds, ascending.
    pub(crate) points: Vec<u32>,
}

/// A price that can be ordered: bits of a positive float order as the float does.
fn price(weight: f64, added: usize) -> u64 {
    (weight / added as f64).to_bits()
}

/// Indexes of the candidates that are chosen, ascending. Points that no candidate holds stay without one.
pub(crate) fn greedy(points: usize, candidates: &[Candidate]) -> Vec<usize> {
    let mut covered = vec![0_u32; points];
    let priced = candidates.iter().enumerate().filter(|(_, candidate)| !candidate.points.is_empty());
    let mut queue: BinaryHeap<Reverse<(u64, usize)>> = priced
        .map(|(index, candidate)| Reverse((price(candidate.weight, candidate.points.len()), index)))
        .collect();
    let mut chosen = Vec::new();
    while let Some(Reverse((promised, index))) = queue.pop() {
        let candidate = &candidates[index];
        let added = candidate.points.iter().filter(|point| covered[**point as usize] == 0).count();
        if added == 0 {
            continue;
        }
        // Prices only rise while others are chosen, so the first whose price is still right is the cheapest.
        let now = price(candidate.weight, added);
        if now > promised {
            queue.push(Reverse((now, index)));
            continue;
        }
        candidate.points.iter().for_each(|point| covered[*point as usize] += 1);
        chosen.push(index);
    }
    drop_redundant(candidates, &mut covered, chosen)
}

/// Leaves out what the others hold, the dearest first.
fn drop_redundant(candidates: &[Candidate], covered: &mut [u32], mut chosen: Vec<usize>) -> Vec<usize> {
    chosen.sort_by_key(|index| (Reverse(candidates[*index].weight.to_bits()), Reverse(*index)));
    chosen.retain(|index| {
        let points = &candidates[*index].points;
        let is_needed = points.iter().any(|point| covered[*point as usize] == 1);
        if !is_needed {
            points.iter().for_each(|point| covered[*point as usize] -= 1);
        }
        is_needed
    });
    chosen.sort_unstable();
    chosen
}
