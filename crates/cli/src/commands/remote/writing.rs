//! What every write has in common: which server, over which intents, and whether it is waited for.

use palisade_client::{Client, Operation, Patience};

use super::{
    RequestArgs,
    overriding::{self, OverrideArgs},
    wait::WaitArgs,
};
use crate::{exit::Failure, output::Format};

/// How a write is made.
#[derive(Debug, Clone, clap::Args)]
pub struct WriteArgs {
    #[command(flatten)]
    overriding: OverrideArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    request: RequestArgs,
}

impl WriteArgs {
    /// The server, as the profile's identity, asked to override intents if there is a reason.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(self.overriding.on(self.request.client()?))
    }

    /// The form of the answer.
    pub fn form(&self) -> Format {
        self.request.form()
    }

    /// How long the user wants to wait.
    pub fn patience(&self) -> Patience {
        self.wait.patience()
    }

    /// Whether the user wants to wait.
    pub const fn waits(&self) -> bool {
        self.wait.is_wanted()
    }

    /// Says what a write breaks all the same, and waits until hosts have it in force.
    pub fn settle(
        &self,
        client: &Client,
        what: &str,
        warnings: &[String],
        operation: Option<&Operation>,
    ) -> Result<(), Failure> {
        overriding::tell(warnings);
        Ok(self.wait.wait(client, what, operation)?)
    }
}
