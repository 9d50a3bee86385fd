//! The strength of a passphrase, as the number of guesses it takes, and how many it should take.

use std::time::Duration;

/// What is behind so many characters is not looked at: it can only make a passphrase stronger.
pub const LENGTH_MAX: usize = 100;

/// Seconds of a year of 365 days.
const YEAR_S: f64 = 31_536_000.0;

/// Who must not guess it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Needed {
    /// An account that can do little, and that locks itself.
    User,
    /// An administrator whom only the own network reaches.
    Admin,
    /// An administrator whom the Internet reaches, or will one day: years of guesses by many machines.
    #[default]
    Exposed,
}

impl Needed {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::User, Self::Admin, Self::Exposed];

    /// The least decimal logarithm of the number of guesses.
    pub const fn guesses_log10(self) -> f64 {
        match self {
            Self::User => 10.0,
            Self::Admin => 12.0,
            Self::Exposed => 14.0,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Exposed => "exposed",
        }
    }
}

/// How hard a passphrase is to guess.
#[derive(Debug, Clone, PartialEq)]
pub struct Strength {
    /// Decimal logarithm of the number of guesses; 0 for an empty one. The estimator counts to 10^19.27, 64 bits.
    pub guesses_log10: f64,
    /// The estimator's score, 0 to 4.
    pub score: u8,
    /// What makes it weak, if it is.
    pub warning: Option<String>,
    /// What would make it stronger, if it is weak.
    pub suggestions: Vec<String>,
}

impl Strength {
    /// Whether it is strong enough.
    pub fn suffices(&self, needed: Needed) -> bool {
        self.guesses_log10 >= needed.guesses_log10()
    }

    /// How long so many guesses a second take; the longest that a duration can say if that is longer.
    pub fn time_at(&self, guesses_per_second: f64) -> Duration {
        Duration::try_from_secs_f64(10_f64.powf(self.guesses_log10) / guesses_per_second)
            .unwrap_or(Duration::MAX)
    }

    /// The same in words: `3 hours`, `centuries`.
    pub fn time_in_words(&self, guesses_per_second: f64) -> String {
        let seconds = self.time_at(guesses_per_second).as_secs_f64();
        let units = [
            (100.0 * YEAR_S, "year", YEAR_S),
            (YEAR_S, "day", 86_400.0),
            (86_400.0, "hour", 3_600.0),
            (3_600.0, "minute", 60.0),
            (60.0, "second", 1.0),
        ];
        if seconds >= units[0].0 {
            return "centuries".to_owned();
        }
        let (_, unit, length) = units.into_iter().rfind(|(below, ..)| seconds < *below).unwrap_or(units[0]);
        match (seconds / length).floor() {
            0.0 => "less than a second".to_owned(),
            1.0 => format!("1 {unit}"),
            count => format!("{count} {unit}s"),
        }
    }
}

/// How hard a passphrase is to guess for somebody who also knows these words: names of the machine, its people and its company.
pub fn strength(passphrase: &str, known: &[&str]) -> Strength {
    let words = known_words(known);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn::zxcvbn(passphrase, &words);
    let feedback = estimate.feedback();
    Strength {
        guesses_log10: estimate.guesses_log10().max(0.0),
        score: estimate.score().into(),
        warning: feedback.and_then(zxcvbn::feedback::Feedback::warning).map(|warning| warning.to_string()),
        suggestions: feedback
            .map(|told| told.suggestions().iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
    }
}

/// What was given, and its parts: of `web-01.contoso.com` also `web` and `contoso`.
fn known_words(known: &[&str]) -> Vec<String> {
    let parts = |text: &&str| -> Vec<String> {
        text.split(|character: char| !character.is_alphanumeric()).map(str::to_owned).collect()
    };
    let whole = known.iter().map(|text| (*text).to_owned());
    let mut words: Vec<String> = whole.chain(known.iter().flat_map(parts)).collect();
    words.retain(|word| !word.is_empty());
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log10(passphrase: &str) -> f64 {
        strength(passphrase, &[]).guesses_log10
    }

    #[test]
    fn what_is_famous_is_weak_and_a_line_of_a_song_is_strong() {
        for weak in ["", "P@ssw0rd", "P@ssw0rd1!", "Summer2024!", "qwertyuiop[]"] {
            assert!(!strength(weak, &[]).suffices(Needed::User), "{weak}: {}", log10(weak));
        }
        let clever = strength("Tr0ub4dor&3", &[]);
        assert!(clever.suffices(Needed::User) && !clever.suffices(Needed::Admin), "{clever:?}");
        for strong in ["correct horse battery staple", "born and raised in south Detroit"] {
            assert!(strength(strong, &[]).suffices(Needed::Exposed), "{strong}: {}", log10(strong));
        }
    }

    #[test]
    fn names_that_are_known_help_who_guesses() {
        let secret = "Fabrikamvm7Rosalind";
        let with = strength(secret, &["vm7.fabrikam.example", "Rosalind"]);
        assert!(with.guesses_log10 + 3.0 < log10(secret), "{} and {}", with.guesses_log10, log10(secret));
    }

    #[test]
    fn what_is_weak_says_why() {
        let told = strength("password", &[]);
        assert!(told.warning.is_some() && !told.suggestions.is_empty());
    }

    #[test]
    fn time_is_told_in_the_largest_unit() {
        let of = |guesses_log10| Strength { guesses_log10, score: 0, warning: None, suggestions: Vec::new() };
        let told = [0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 19.0].map(|log10| of(log10).time_in_words(10.0));
        let expected =
            ["less than a second", "1 second", "10 seconds", "16 minutes", "1 day", "115 days", "centuries"];
        assert_eq!(told, expected);
        assert_eq!(of(400.0).time_at(1.0), Duration::MAX);
    }

    proptest! {
        // The estimator takes tens of milliseconds for some.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_text_has_a_strength(text in "\\PC{0,200}", known in prop::collection::vec("\\PC{0,20}", 0..4)) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            prop_assert!(strength(&text, &known).guesses_log10.is_finite());
        }
    }
}
