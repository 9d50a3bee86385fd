//! What one lookup costs, row after row and in the compiled blob; and what compiling costs.
//!
//! The flows are the same in both, mostly on the edges of the rules, and too many to stay in the first cache.

use std::{hint::black_box, iter::Cycle, slice::Iter};

use criterion::{Criterion, criterion_group, criterion_main};
use palisade_classify::{
    blob::{BlobView, compile},
    generate::{Shape, flows, layer, policy},
    proof::{Rules, prove},
    table::Limits,
};
use palisade_net::{Direction, Flow};

const SHAPES: [(&str, Shape); 5] = [
    ("10", Shape::nsg(10)),
    ("100", Shape::nsg(100)),
    ("1000", Shape::nsg(1_000)),
    ("1000-tags", Shape::nsg_with_tags(1_000)),
    ("1000-lists", Shape { prefixes: 100_000, ..Shape::nsg(1_000) }),
];

fn lookup(criterion: &mut Criterion) {
    for (name, shape) in SHAPES {
        let rows = policy(&shape, 1);
        let flows = flows(&rows, 1 << 16, 2);
        let bytes = compile(&rows, &Limits::default()).expect("the shape is within the limits");
        let blob = BlobView::parse(&bytes).expect("a compiled blob is sound");
        println!("{name}: {} rows, {} bytes", rows.len(), bytes.len());
        let mut group = criterion.benchmark_group(format!("lookup/{name}"));
        let mut measure = |what, find: &dyn Fn(&Flow) -> Option<usize>| {
            group.bench_function(what, |bencher| {
                let mut next: Cycle<Iter<'_, Flow>> = flows.iter().cycle();
                bencher.iter(|| find(black_box(next.next().expect("a cycle does not end"))));
            });
        };
        measure("naive", &|flow| rows.iter().position(|row| row.matches(flow, 0)));
        measure("blob", &|flow| blob.lookup(flow, 0).rule.map(|(rule, _)| rule));
    }
}

fn build(criterion: &mut Criterion) {
    for (name, shape) in SHAPES {
        let rows = policy(&shape, 1);
        let compile = || compile(&rows, &Limits::default()).expect("the shape is within the limits");
        let bytes = compile();
        let mut group = criterion.benchmark_group(format!("build/{name}"));
        group.sample_size(10);
        group.bench_function("compile", |bencher| bencher.iter(compile));
        let layer = layer(&rows);
        let rules = Rules { layers: &[&layer], services: &[], direction: Direction::Inbound };
        group.bench_function("prove", |bencher| {
            bencher.iter(|| prove(&rules, &bytes).expect("it decides as the rules do"));
        });
        group.bench_function("check", |bencher| {
            bencher.iter(|| BlobView::parse(&bytes).map(|blob| blob.rules()));
        });
    }
}

criterion_group!(benches, lookup, build);
criterion_main!(benches);
