//! Renders the C header from the definitions.
//!
//! It must not define a layout of its own: it prints [`CStruct`]s and [`CConst`]s.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

use crate::{ABI_VERSION, CConst, CField, CStruct, arena, counters, event, flow, policy, verdict};

/// Every shared struct, in the order in which C needs them.
pub fn structs() -> Vec<CStruct> {
    [policy::STRUCTS, arena::STRUCTS, flow::STRUCTS, event::STRUCTS, counters::STRUCTS].concat()
}

/// Every shared constant and code.
pub fn constants() -> Vec<CConst> {
    let version = CConst { name: "ABI_VERSION", value: u64::from(ABI_VERSION), doc: "Layout version." };
    let mut all = Vec::from([version]);
    for group in [
        policy::CONSTANTS,
        arena::CONSTANTS,
        flow::CONSTANTS,
        event::CONSTANTS,
        counters::CONSTANTS,
        verdict::CONSTANTS,
        verdict::Action::CODES,
        verdict::Layer::CODES,
        verdict::Reason::CODES,
        flow::Direction::CODES,
        flow::FlowState::CODES,
        event::EventKind::CODES,
    ] {
        all.extend_from_slice(group);
    }
    all
}

/// The header's text, for a program that calls its layout `version`: [`ABI_VERSION`], but for tests of what happens between
/// versions.
pub fn render(version: u32) -> String {
    let mut out = String::from(
        "/* SPDX-License-Identifier: MIT OR GPL-2.0-only */\n\
         /* Generated from crates/abi; change it there. */\n#pragma once\n\n",
    );
    for constant in constants() {
        let name = upper_snake(constant.name);
        let value = if constant.name == "ABI_VERSION" { u64::from(version) } else { constant.value };
        let _ = writeln!(out, "#define PLSD_{name} {value:#x} /* {} */", one_line(constant.doc));
    }
    for item in structs() {
        let _ = write!(out, "\n/* {} */\nstruct {} {{\n", one_line(item.doc), c_name(item.name));
        for field in item.fields {
            let _ = writeln!(out, "\t{}; /* {} */", c_declaration(field), one_line(field.doc));
        }
        let _ = write!(
            out,
            "}};\n_Static_assert(sizeof(struct {}) == {}, \"size\");\n",
            c_name(item.name),
            item.size
        );
    }
    out
}

/// The C name of a shared struct: `NicDescriptor` is `plsd_nic_descriptor`.
pub fn c_name(rust_name: &str) -> String {
    format!("plsd_{}", upper_snake(rust_name).to_ascii_lowercase())
}

fn c_declaration(field: &CField) -> String {
    match field.rust_type.strip_prefix('[').and_then(|t| t.strip_suffix(']')).and_then(|t| t.split_once(';'))
    {
        Some((element, _)) => {
            let element = element.trim();
            format!("{} {}[{}]", c_type(element), field.name, field.size / element_size(element))
        }
        None => format!("{} {}", c_type(field.rust_type), field.name),
    }
}

fn c_type(rust_type: &str) -> String {
    match rust_type {
        "u8" => "__u8".into(),
        "u16" => "__u16".into(),
        "u32" => "__u32".into(),
        "u64" => "__u64".into(),
        name => format!("struct {}", c_name(name)),
    }
}

fn element_size(rust_type: &str) -> usize {
    match rust_type {
        "u8" => 1,
        "u16" => 2,
        "u32" => 4,
        "u64" => 8,
        name => structs().iter().find(|s| s.name == name).map_or(1, |s| s.size),
    }
}

/// `NicDescriptor` and `REASON_NicDeny` become `NIC_DESCRIPTOR` and `REASON_NIC_DENY`.
fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    let mut previous = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || previous.is_ascii_digit()) {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
        previous = c;
    }
    out
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /")
}
