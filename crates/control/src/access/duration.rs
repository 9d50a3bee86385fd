//! Durations as ISO 8601 writes them: `PT3H`, `P1D`, `PT1H30M`.

/// Seconds of a duration of weeks, days, hours, minutes and whole seconds; `None` if it is none, or has no fixed length.
pub fn seconds(text: &str) -> Option<u32> {
    let rest = text.trim().strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let date_units = [('W', 604_800), ('D', 86_400)];
    let time_units = [('H', 3_600), ('M', 60), ('S', 1)];
    let is_empty = date.is_empty() && time.is_empty();
    let total = sum(date, &date_units)?.checked_add(sum(time, &time_units)?)?;
    (!is_empty).then_some(total)
}

/// Numbers with their units, in the order of the units and each at most once.
fn sum(mut text: &str, units: &[(char, u32)]) -> Option<u32> {
    let (mut total, mut left) = (0_u32, units);
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let unit = text[digits..].chars().next()?;
        let at = left.iter().position(|(letter, _)| *letter == unit)?;
        let count: u32 = text[..digits].parse().ok()?;
        total = total.checked_add(count.checked_mul(left[at].1)?)?;
        left = &left[at + 1..];
        text = &text[digits + unit.len_utf8()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_read_and_nothing_else_is() {
        let known = [
            ("PT3H", 10_800),
            ("P1D", 86_400),
            ("PT1H30M", 5_400),
            ("P0DT5M0S", 300),
            ("PT90S", 90),
            ("P1W", 604_800),
        ];
        for (text, expected) in known {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "3H",
            "PT3",
            "PTH",
            "P1H",
            "PT1M1H",
            "PT1H1H",
            "P1M",
            "P1Y",
            "PT1.5H",
            "-PT1H",
            "PT5000000H",
            "PT1é",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
