//! Intents that a write breaks: the option that asks to override them, and what is told of them.

use palisade_client::Client;

/// Whether intents are to be overridden.
#[derive(Debug, Clone, clap::Args)]
pub struct OverrideArgs {
    /// Write it although intents forbid it, for a reason that the audit log keeps; needs a permission at the intents
    #[arg(long = "override", value_name = "REASON", help_heading = "Intents")]
    reason: Option<String>,
}

impl OverrideArgs {
    /// The client, with the reason if one is given.
    pub fn on(&self, client: Client) -> Client {
        match &self.reason {
            Some(reason) => client.overriding(reason),
            None => client,
        }
    }
}

/// Says what a write breaks all the same.
pub fn tell(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
