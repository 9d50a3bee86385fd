//! Whether intents hold of what is in force, whatever was written when.
//!
//! Writes are proven as they come. What they were proven with may be another thing after a start: the file of service tags, or the
//! time. It must not change anything: what is in force stays in force.

use crate::gate::Verdict;
use crate::kinds::INTENTS;
use crate::time::unix_seconds;
use crate::{Control, ControlError, World};

impl Control {
    /// What becomes of every intent of the world as it is now. It takes seconds for a large estate.
    ///
    /// # Errors
    /// The intents cannot be proven.
    pub fn standing(&self) -> Result<Vec<Verdict>, ControlError> {
        // Most worlds have none, and a copy of a large one takes a while.
        if self.read(|world| world.of_kind(INTENTS).next().is_none()) {
            return Ok(Vec::new());
        }
        let world = self.read(World::clone);
        self.gate().standing(&world, unix_seconds(self.now()))
    }
}
