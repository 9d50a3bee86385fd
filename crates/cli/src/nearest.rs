//! The name that somebody may have meant by one that is not there.

/// Letters in which a name may differ from what is meant: one of three, and at least one.
const LETTERS_A_MISTAKE: usize = 3;

/// ` (did you mean "web-nsg"?)` with the known name that is nearest to `name`, whatever the case; nothing if none is near.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / LETTERS_A_MISTAKE).max(1);
    let distances = known.into_iter().map(|one| (strsim::osa_distance(&name, &one.to_lowercase()), one));
    match distances.filter(|(distance, _)| *distance <= allowed).min() {
        Some((_, nearest)) => format!(" (did you mean {nearest:?}?)"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        let known = ["web-nsg", "db-nsg", "vm1"];
        for (name, meant) in
            [("web-ns", "web-nsg"), ("WEB-NGS", "web-nsg"), ("bd-nsg", "db-nsg"), ("vmx", "vm1")]
        {
            assert_eq!(hint(name, known), format!(" (did you mean {meant:?}?)"), "{name}");
        }
        for name in ["gateway", "", "x"] {
            assert_eq!(hint(name, known), "", "{name}");
        }
    }

    #[test]
    fn of_two_that_are_as_near_the_first_by_name_is_offered() {
        assert_eq!(hint("vm3", ["vm2", "vm1"]), " (did you mean \"vm1\"?)");
    }
}
