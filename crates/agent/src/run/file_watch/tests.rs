use nix::poll::{PollFd, PollFlags, poll};

use super::*;

struct Folder {
    dir: tempfile::TempDir,
    sources: EstateSources,
    watch: FileWatch,
}

impl Folder {
    /// A folder with `a.json`, watched as the estate's path `named`, and looked at once.
    fn watched(named: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.json"), "1").unwrap();
        let sources = EstateSources { paths: vec![dir.path().join(named)], ..EstateSources::default() };
        let mut watch = FileWatch::open().unwrap();
        assert!(watch.has_changed(&sources), "the first look");
        assert!(!watch.has_changed(&sources), "the second look");
        Self { dir, sources, watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Does something to the folder; it must be heard, and be a change or not.
    fn check(&mut self, what: &str, is_change: bool, act: impl FnOnce(&Self)) {
        act(self);
        let heard = poll(&mut [PollFd::new(self.watch.as_fd(), PollFlags::POLLIN)], 5000_u16).unwrap();
        assert_eq!(heard, 1, "{what} is not heard");
        assert!(self.watch.drain().unwrap() && !self.watch.drain().unwrap());
        assert_eq!(self.watch.has_changed(&self.sources), is_change, "{what}");
    }
}

#[test]
fn a_file_is_watched_through_rewriting_replacement_and_absence() {
    let mut folder = Folder::watched("a.json");
    folder.check("a rewritten file", true, |folder| fs::write(folder.path("a.json"), "22").unwrap());
    folder.check("a neighbour", false, |folder| fs::write(folder.path("b.tmp"), "333").unwrap());
    folder.check("a replaced file", true, |folder| {
        fs::rename(folder.path("b.tmp"), folder.path("a.json")).unwrap();
    });
    folder.check("a rewritten replacement", true, |folder| fs::write(folder.path("a.json"), "4444").unwrap());
    folder.check("a removed file", true, |folder| fs::remove_file(folder.path("a.json")).unwrap());
    folder.check("a file that is back", true, |folder| fs::write(folder.path("a.json"), "5").unwrap());
}

#[test]
fn a_folder_is_watched_with_the_folders_that_come_into_it() {
    let mut folder = Folder::watched("");
    folder.check("a new file", true, |folder| fs::write(folder.path("b.json"), "1").unwrap());
    folder.check("a file that is no estate", false, |folder| fs::write(folder.path("c.txt"), "1").unwrap());
    folder.check("an empty folder", false, |folder| fs::create_dir(folder.path("new")).unwrap());
    folder.check("a file in it", true, |folder| fs::write(folder.path("new/d.json"), "1").unwrap());
    folder.check("a change of it", true, |folder| fs::write(folder.path("new/d.json"), "22").unwrap());
}
