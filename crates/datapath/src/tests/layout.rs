//! The layouts: Rust's definitions against the type information in the compiled object.

use std::{collections::BTreeMap, os::fd::AsFd};

use libbpf_rs::btf::{Btf, BtfType, HasSize, types};
use palisade_abi::header;

use crate::object::BUILD;

/// Fields of a struct in the object: name to offset and size.
fn fields(btf: &Btf<'_>, name: &str) -> (usize, BTreeMap<String, (usize, usize)>) {
    let found: types::Struct<'_> =
        btf.type_by_name(name).unwrap_or_else(|| panic!("the object knows {name}"));
    let fields = found.iter().map(|member| {
        let types::MemberAttr::Normal { offset } = member.attr else { panic!("{name} has a bit field") };
        let kind = btf.type_by_id::<BtfType<'_>>(member.ty).expect("members have types");
        let name = member.name.expect("members have names").to_string_lossy().into_owned();
        (name, (offset as usize / 8, size_of_type(kind)))
    });
    (found.size(), fields.collect())
}

fn size_of_type(kind: BtfType<'_>) -> usize {
    let kind = kind.skip_mods_and_typedefs();
    if let Ok(array) = types::Array::try_from(kind) {
        return array.capacity() * size_of_type(array.contained_type());
    }
    types::Int::try_from(kind)
        .map(|int| usize::from(int.bits) / 8)
        .or_else(|_| types::Struct::try_from(kind).map(|composite| composite.size()))
        .expect("fields are integers, structs and arrays of them")
}

#[test]
fn structs_are_the_same_in_the_object() {
    for object in [BUILD.arena, BUILD.array] {
        // libbpf reads type information from a file only.
        let file = std::env::temp_dir().join(format!("palisade-object-{}.o", std::process::id()));
        std::fs::write(&file, object).expect("the object is copied");
        let btf = Btf::from_path(&file).expect("the object has type information");
        for shared in header::structs() {
            let (size, found) = fields(&btf, &header::c_name(shared.name));
            let expected: BTreeMap<_, _> = shared
                .fields
                .iter()
                .map(|field| (field.name.to_owned(), (field.offset, field.size)))
                .collect();
            assert_eq!((size, found), (shared.size, expected), "{}", shared.name);
        }
        std::fs::remove_file(file).expect("the copy is removed");
    }
}

#[test]
fn the_header_names_every_struct_constant_and_field() {
    let text = header::render(palisade_abi::ABI_VERSION);
    for shared in header::structs() {
        assert!(text.contains(&format!("struct {} {{", header::c_name(shared.name))), "{}", shared.name);
        assert!(shared.fields.iter().all(|field| text.contains(field.name)), "{}", shared.name);
    }
    let defined = text.lines().filter(|line| line.starts_with("#define PLSD_")).count();
    assert_eq!(defined, header::constants().len());
}

#[test]
fn the_verifier_has_room_to_spare() {
    for rig in super::rig::Rig::each() {
        let programs = &rig.datapath.programs;
        for (name, program) in
            [("from_vm", &programs.from_vm), ("to_vm", &programs.to_vm), ("clock", &programs.clock)]
        {
            let info = crate::sys::program_info(program.as_fd()).expect("the kernel knows the program");
            println!("{name}: {} instructions verified", info.verified_insns);
            // The kernel's limit is a million; other kernels count differently.
            assert!(info.verified_insns < 500_000, "{name}: {}", info.verified_insns);
        }
    }
}
