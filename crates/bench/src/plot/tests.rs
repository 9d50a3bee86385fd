//! Plots are documents that say what the report says.

use super::*;

fn report() -> Report {
    let forwarding = |lines: u64, ours, slow| {
        Case::new("forwarding/new", ours, "ns")
            .with("family", "IPv4")
            .with("place", "last")
            .with("lines", lines)
            .beside("slow <1>", None, Some(slow))
            .beside("absent", None, None)
    };
    let rate = Case::new("connections/rate", 11_000.0, "per second").with("lines", 1_000).beside(
        "no firewall",
        None,
        Some(12_000.4),
    );
    Report { cases: vec![forwarding(1_000, 500.0, 26_000.0), forwarding(10, 490.0, 1_500.0), rate] }
}

/// Elements are opened and closed in order, and attributes are quoted.
fn is_well_formed(text: &str) -> bool {
    let mut open = Vec::new();
    for tag in text.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap_or_default();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) if open.pop() != Some(name) => return false,
            (false, false) => open.push(name),
            _ => {}
        }
        if tag.matches('"').count() % 2 != 0 {
            return false;
        }
    }
    open.is_empty()
}

#[test]
fn only_plots_with_figures_are_made() {
    let files: Vec<_> = plots(&report()).into_iter().map(|plot| plot.file).collect();
    assert_eq!(files, ["datapath-new-flows.svg", "datapath-connections.svg"]);
    assert_eq!(plots(&Report::default()), []);
}

#[test]
fn plots_are_well_formed_and_suit_dark_pages() {
    for plot in plots(&report()) {
        assert!(is_well_formed(&plot.text), "{}", plot.text);
        assert!(plot.text.contains("prefers-color-scheme:dark"), "{}", plot.file);
    }
}

#[test]
fn a_line_goes_through_the_sizes_in_order_and_absent_peers_have_none() {
    let text = &plots(&report())[0].text;
    assert_eq!(text.matches("<polyline").count(), 2);
    assert!(text.contains("slow &lt;1&gt;") && !text.contains("absent"), "{text}");
    let places = ["10 rules", "1000 rules"].map(|place| text.find(place).expect("the place is named"));
    assert!(places[0] < places[1]);
}

#[test]
fn bars_end_with_their_numbers() {
    let text = &plots(&report())[1].text;
    assert!(text.contains(">11,000<") && text.contains(">12,000<"), "{text}");
    assert_eq!(text.matches("<rect").count(), 2);
}

#[test]
fn numbers_have_their_thousands_apart() {
    let shown = [0.4, 7.0, 999.6, 12_345.0, 1_234_567.0, -1_000.0].map(svg::number);
    assert_eq!(shown, ["0", "7", "1,000", "12,345", "1,234,567", "-1,000"]);
}
