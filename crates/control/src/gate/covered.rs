//! Whether some packets are all among others: products of five fields taken away from a product, exactly.
//!
//! The search ends at a number of pieces; what is not shown by then counts as not covered.

use palisade_analysis::Block;
use palisade_net::{AddressSet, PortSet, Protocol};

/// Most pieces that are looked at for one block.
const PIECES_MAX: usize = 10_000;

/// Whether every packet of a block is in one of the others.
pub(super) fn is_covered(block: &Block, others: &[&Block]) -> bool {
    let others: Vec<&Block> = others.iter().copied().filter(|other| other.family == block.family).collect();
    let mut left = PIECES_MAX;
    search(block, &others, &mut left)
}

fn search(piece: &Block, others: &[&Block], left: &mut usize) -> bool {
    let Some((other, rest)) = others.split_first() else { return false };
    if *left == 0 {
        return false;
    }
    *left -= 1;
    without(piece, other).iter().all(|remainder| search(remainder, rest, left))
}

/// A block without another, as products that share no packet.
fn without(block: &Block, other: &Block) -> Vec<Block> {
    let (mut rest, mut found) = (block.clone(), Vec::new());
    let protocols = |is_in: bool| -> Vec<Protocol> {
        block.protocols.iter().copied().filter(|one| other.protocols.contains(one) == is_in).collect()
    };
    let (outside, inside) = (protocols(false), protocols(true));
    let mut goes_on =
        split(&mut rest, &mut found, |block| &mut block.protocols, outside, inside, Vec::is_empty);
    let addresses: [(Part<AddressSet>, &AddressSet); 2] = [
        (|block| &mut block.sources, &other.sources),
        (|block| &mut block.destinations, &other.destinations),
    ];
    for (part, taken) in addresses {
        let own = part(&mut rest).clone();
        let (outside, inside) = (own.difference(taken), own.intersection(taken));
        goes_on = goes_on && split(&mut rest, &mut found, part, outside, inside, AddressSet::is_empty);
    }
    let ports: [(Part<PortSet>, &PortSet); 2] = [
        (|block| &mut block.source_ports, &other.source_ports),
        (|block| &mut block.destination_ports, &other.destination_ports),
    ];
    for (part, taken) in ports {
        let own = part(&mut rest).clone();
        let (outside, inside) = (own.difference(taken), own.intersection(taken));
        goes_on = goes_on && split(&mut rest, &mut found, part, outside, inside, PortSet::is_empty);
    }
    found
}

/// One field of a block.
type Part<T> = fn(&mut Block) -> &mut T;

/// Cuts a block in two at one field: what is outside of the other block is found, what is inside goes on; whether that is any.
fn split<T>(
    rest: &mut Block,
    found: &mut Vec<Block>,
    part: Part<T>,
    outside: T,
    inside: T,
    is_empty: fn(&T) -> bool,
) -> bool {
    if !is_empty(&outside) {
        let mut piece = rest.clone();
        *part(&mut piece) = outside;
        found.push(piece);
    }
    let goes_on = !is_empty(&inside);
    *part(rest) = inside;
    goes_on
}
