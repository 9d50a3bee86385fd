//! Products that differ in one field, joined.
//!
//! Sides of products are numbered first, so that products are compared as a few numbers each. It must not know what a side is.

use std::hash::Hash;

use crate::{bits::Bits, rows::FastMap};

/// Something of which a product has one a field.
pub(crate) trait Side: Clone + Eq + Hash {
    /// Takes in the members of another.
    fn unite(&mut self, other: &Self);
}

impl Side for Bits {
    fn unite(&mut self, other: &Self) {
        Self::unite(self, other);
    }
}

/// Joins products that differ in one field, until no two do. No two may share a packet.
pub(crate) fn merge<S: Side>(products: Vec<Vec<S>>) -> Vec<Vec<S>> {
    let fields = products.first().map_or(0, Vec::len);
    let mut sides = Sides { all: Vec::new(), known: FastMap::default() };
    let number = |product: Vec<S>| product.into_iter().map(|side| sides.number(side)).collect();
    let mut products: Vec<Vec<usize>> = products.into_iter().map(number).collect();
    loop {
        let before = products.len();
        for field in (0..fields).rev() {
            products = sides.merge_in(products, field);
        }
        if products.len() == before {
            break;
        }
    }
    let side = |number: usize| sides.all[number].clone();
    products.into_iter().map(|product| product.into_iter().map(side).collect()).collect()
}

/// Distinct sides.
struct Sides<S> {
    all: Vec<S>,
    known: FastMap<S, usize>,
}

impl<S: Side> Sides<S> {
    fn number(&mut self, side: S) -> usize {
        if let Some(&number) = self.known.get(&side) {
            return number;
        }
        self.all.push(side.clone());
        self.known.insert(side, self.all.len() - 1);
        self.all.len() - 1
    }

    /// Joins products that are alike but for one field.
    fn merge_in(&mut self, products: Vec<Vec<usize>>, field: usize) -> Vec<Vec<usize>> {
        let mut known: FastMap<Vec<usize>, usize> = FastMap::default();
        // Products to keep, with what is to be taken in.
        let mut merged: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
        for product in products {
            let mut others = product.clone();
            let own = others.remove(field);
            match known.get(&others) {
                Some(&place) => merged[place].1.push(own),
                None => {
                    known.insert(others, merged.len());
                    merged.push((product, Vec::new()));
                }
            }
        }
        let unite = |(mut product, more): (Vec<usize>, Vec<usize>)| {
            if !more.is_empty() {
                let mut side = self.all[product[field]].clone();
                more.iter().for_each(|other| side.unite(&self.all[*other]));
                product[field] = self.number(side);
            }
            product
        };
        merged.into_iter().map(unite).collect()
    }
}
