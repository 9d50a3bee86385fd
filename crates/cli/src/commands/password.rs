//! `palisade password`: how hard a passphrase is to guess, and passphrases that are.
//!
//! A passphrase is typed without an echo or read from standard input, one line; never from arguments, which others of the machine can see
//! and the shell remembers. It is not printed, and what holds it is wiped.

use std::io;

use palisade_passphrase::{Needed, SEPARATOR, Strength, WORDS, generate, strength};
use serde_json::json;

use crate::{
    args::FormatArgs,
    exit::{Exit, Failure},
    output::{self, Format},
    secret,
};

/// Guesses a second over the network, where nothing locks.
const ONLINE: f64 = 10.0;
/// Guesses a second with the hash at hand.
const OFFLINE: f64 = 1e10;

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Without a terminal, the passphrase is the first line of standard input.\nExit code 1 means that it is too weak.\n\n\
                  Examples:\n  palisade password --known web-01.contoso.com --known 'Rosa Luxemburg'\n  palisade password --for admin \
                  --format json <secret\n  palisade password generate --words 8"
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Who must not guess it
    #[arg(long = "for", value_enum, value_name = "WHO", default_value_t = Who::Exposed)]
    needed: Who,
    /// Name that whoever guesses knows: of the machine, its people, the company
    #[arg(long, value_name = "TEXT")]
    known: Vec<String>,
    #[command(flatten)]
    format: FormatArgs,
}

/// What else to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Draw a passphrase of words
    Generate(Generate),
}

/// Options of `generate`.
#[derive(Debug, clap::Args)]
struct Generate {
    /// How many words
    #[arg(long, value_name = "COUNT", default_value_t = WORDS.1)]
    words: usize,
    /// What stands between them
    #[arg(long, value_name = "TEXT", default_value = SEPARATOR)]
    separator: String,
    #[command(flatten)]
    format: FormatArgs,
}

/// Whose passphrase it is.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Who {
    /// An account that can do little, and locks itself: 10^10 guesses
    User,
    /// An administrator whom the own network reaches: 10^12 guesses
    Admin,
    /// An administrator whom the Internet reaches: 10^14 guesses
    Exposed,
}

impl From<Who> for Needed {
    fn from(who: Who) -> Self {
        match who {
            Who::User => Self::User,
            Who::Admin => Self::Admin,
            Who::Exposed => Self::Exposed,
        }
    }
}

/// Judges a passphrase, or draws one.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if let Some(Action::Generate(options)) = &arguments.action {
        return draw(options);
    }
    let passphrase = secret::read("passphrase: ")?;
    let known: Vec<&str> = arguments.known.iter().map(String::as_str).collect();
    let strength = strength(&passphrase, &known);
    drop(passphrase);
    let needed = Needed::from(arguments.needed);
    match arguments.format.format {
        Format::Json => output::json(&json!({
            "for": needed.word(),
            "suffices": strength.suffices(needed),
            "guessesLog10": strength.guesses_log10,
            "neededLog10": needed.guesses_log10(),
            "score": strength.score,
            "online": strength.time_in_words(ONLINE),
            "offline": strength.time_in_words(OFFLINE),
            "warning": strength.warning,
            "suggestions": strength.suggestions,
        }))?,
        Format::Table => tell(&strength, needed)?,
    }
    Ok(if strength.suffices(needed) { Exit::Clean } else { Exit::Found })
}

fn tell(strength: &Strength, needed: Needed) -> io::Result<()> {
    let verdict = if strength.suffices(needed) { "strong enough" } else { "too weak" };
    output::line(format_args!(
        "{verdict} for {}: 10^{:.1} guesses, 10^{:.0} are needed",
        needed.word(),
        strength.guesses_log10,
        needed.guesses_log10()
    ))?;
    output::line(format_args!(
        "guessed over the network in {} (10 guesses a second), with its hash in {} (10^10)",
        strength.time_in_words(ONLINE),
        strength.time_in_words(OFFLINE)
    ))?;
    strength.warning.iter().chain(&strength.suggestions).try_for_each(output::line)
}

fn draw(options: &Generate) -> Result<Exit, Failure> {
    let drawn = generate(options.words, &options.separator, getrandom::fill).map_err(Failure::input)?;
    match options.format.format {
        Format::Json => output::json(&json!({"passphrase": drawn.passphrase.as_str(), "bits": drawn.bits}))?,
        Format::Table => output::line(drawn.passphrase.as_str())?,
    }
    Ok(Exit::Clean)
}
