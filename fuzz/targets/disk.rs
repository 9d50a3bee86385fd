//! A disk of any shape: its partitions are found, its file systems opened, listed and read, and its system audited, all of it to an end.
#![no_main]

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use palisade_guest::{
    Profile, audit,
    disk::{Disk, Handle, Kind, Tree, open, volumes},
};

/// Reads what is there, as far as it can be, up to so many names.
fn walk(tree: &dyn Tree, folder: &Handle, depth: u32, left: &mut u32) {
    let Ok(listed) = tree.list(folder) else { return };
    for listed in listed {
        assert!(!listed.name.contains(char::is_control));
        *left = left.saturating_sub(1);
        if *left == 0 {
            return;
        }
        match listed.status.map(|status| status.kind) {
            Ok(Kind::Folder) if depth < 4 => walk(tree, &listed.handle, depth + 1, left),
            Ok(_) => {
                let mut pieces = 0;
                let _ = tree.contents(&listed.handle, &mut |_| {
                    pieces += 1;
                    pieces < 16
                });
            }
            Err(_) => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let disk: Rc<dyn Disk> = Rc::new(bytes.to_vec());
    for volume in volumes(&disk).into_iter().take(8) {
        if let Some(Ok(tree)) = volume.tree {
            walk(tree.as_ref(), &tree.root(), 0, &mut 200);
        }
    }
    if let Ok(files) = open(&disk) {
        audit(files.as_ref(), &Profile::default());
    }
});
