//! Searches in small random cells, compared with every packet.

use palisade_classify::generate::Random;

use super::{Gap, Role};
use crate::{
    AnalysisError, Limits,
    bits::Bits,
    grid::{FIELDS, Product},
};

/// Atoms of each field; the last two fill more than a word.
const ATOMS: [usize; FIELDS] = [2, 3, 4, 66, 70];
/// Atoms that differ from others are few, so that every packet can be asked about.
const LOOKED_AT: [&[usize]; FIELDS] =
    [&[0, 1], &[0, 1, 2], &[0, 1, 2, 3], &[0, 1, 63, 64, 65], &[0, 63, 64, 69]];

type Entry = (Product, Role);

/// Some of the atoms of each field, at least one.
fn product(random: &mut Random, percent: usize) -> Product {
    std::array::from_fn(|field| {
        let mut atoms = Bits::none(ATOMS[field]);
        atoms.insert(*random.pick(LOOKED_AT[field]));
        let more = LOOKED_AT[field].iter().filter(|_| random.chance(percent));
        more.for_each(|atom| atoms.insert(*atom));
        atoms
    })
}

fn holds(product: &Product, packet: &[u32; FIELDS]) -> bool {
    product.iter().zip(packet).all(|(atoms, atom)| atoms.contains(*atom as usize))
}

/// Whether the first entry that holds a packet gives.
fn is_wanted(within: &Product, entries: &[Entry], packet: &[u32; FIELDS]) -> bool {
    let first = entries.iter().find(|(product, _)| holds(product, packet));
    holds(within, packet) && first.is_some_and(|(_, role)| *role == Role::Gives)
}

fn packets() -> impl Iterator<Item = [u32; FIELDS]> {
    let count = LOOKED_AT.iter().map(|atoms| atoms.len()).product::<usize>();
    (0..count).map(|mut number| {
        LOOKED_AT.map(|atoms| {
            let atom = atoms[number % atoms.len()];
            number /= atoms.len();
            u32::try_from(atom).expect("atoms are few")
        })
    })
}

fn search(
    within: &Product,
    entries: &[Entry],
    states: usize,
) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
    let mut gap = Gap::within(within);
    for (product, role) in entries {
        if gap.is_closed() {
            break;
        }
        gap.add(product.each_ref(), *role);
    }
    gap.find(&Limits { states, ..Limits::default() })
}

#[test]
fn a_search_finds_a_packet_exactly_if_there_is_one() {
    let mut random = Random::new(6);
    let (mut found, mut nothing, mut refused, mut cut) = (0, 0, 0, 0);
    for _ in 0..1_500 {
        let within = product(&mut random, 70);
        let count = random.below(30);
        let percent = 40 + random.below(50);
        let mut entry = |_| {
            let role = if random.chance(15) { Role::Gives } else { Role::Takes };
            (product(&mut random, percent), role)
        };
        let mut entries: Vec<Entry> = (0..count).map(&mut entry).collect();
        entries.push((within.clone(), Role::Gives));
        let answer = search(&within, &entries, 1 << 20).expect("small cells are simple");
        match answer {
            Some(packet) => {
                assert!(is_wanted(&within, &entries, &packet), "{packet:?} is not looked for");
                found += 1;
            }
            None => {
                assert!(!packets().any(|packet| is_wanted(&within, &entries, &packet)), "one was missed");
                nothing += 1;
            }
        }
        // Fewer cells give the same answer or none.
        match search(&within, &entries, 3) {
            Ok(few) => assert_eq!(few, answer),
            Err(error) => {
                assert_eq!(error, AnalysisError::TooComplex { states: 3 });
                refused += 1;
                cut += usize::from(answer.is_none());
            }
        }
    }
    println!("{found} found, {nothing} nothing, {refused} refused, of which {cut} have nothing");
    assert!(found > 300 && nothing > 300 && refused > 100 && cut > 10, "{found} {nothing} {refused} {cut}");
}

#[test]
fn nothing_is_found_where_nothing_gives() {
    let within = product(&mut Random::new(1), 100);
    assert_eq!(search(&within, &[], 1), Ok(None));
    assert_eq!(search(&within, &[(within.clone(), Role::Takes)], 1), Ok(None));
    let both = [(within.clone(), Role::Takes), (within.clone(), Role::Gives)];
    assert_eq!(search(&within, &both, 1), Ok(None));
}
