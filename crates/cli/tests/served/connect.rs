//! Tunnels that are refused before anything listens.

use crate::site::Site;

#[test]
fn what_is_refused_is_refused_before_anything_listens() {
    let site = Site::start();
    site.lay();
    for (words, code) in [
        (&["connect", "one", "22"][..], "TunnelWithoutHost"),
        (&["connect", "one", "22", "--for", "20h"], "TunnelWithoutHost"),
        (&["connect", "one", "22", "--idle", "25h"], "InvalidParameter"),
    ] {
        let (printed, told) = site.expect(2, words);
        assert!(told.contains(code), "{words:?}: {told}");
        assert_eq!(printed, "", "{words:?}");
    }
}
