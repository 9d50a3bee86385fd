//! Hands what the kernel tells of flows to those who listen at the instance's socket.
//!
//! The kernel wakes nobody for an event, so while somebody listens the agent looks every [`LOOK_INTERVAL`]. An instance
//! whose socket cannot be opened enforces all the same, and tells nobody.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::PollFd;
use palisade_datapath::{Datapath, Report};

use crate::agent::Agent;
use crate::clock::wall_ms;
use crate::error::{AgentError, Context};
use crate::events::{EventServer, Moment, line};

/// How often the kernel's ring is looked at while somebody listens: it has room for what a flood causes in that time.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How often it is told of flows that go on.
const CONTINUE_INTERVAL: Duration = Duration::from_secs(60);

/// The socket, and what was told.
#[derive(Debug)]
pub(super) struct Telling {
    server: Option<EventServer>,
    /// Whether the kernel tells, because somebody listens.
    listens: bool,
    /// Events that the kernel had lost when those who listen were last told so.
    lost: u64,
    /// When to tell of flows that go on.
    continue_at: Instant,
}

impl Telling {
    /// Tells nobody yet.
    pub(super) fn new() -> Self {
        Self { server: None, listens: false, lost: 0, continue_at: Instant::now() }
    }

    /// Opens the socket.
    pub(super) fn open(&mut self, path: &Path) -> Result<(), AgentError> {
        let server = EventServer::open(path).context(|| format!("listen at {}", path.display()))?;
        self.server = Some(server);
        Ok(())
    }

    /// Takes in who came, and hands on what the kernel has told.
    pub(super) fn serve(&mut self, agent: &mut Agent<Datapath>) -> Result<(), AgentError> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let action = || "serve who listens to flows".into();
        server.serve().context(action)?;
        let is_wanted = server.has_subscribers();
        if is_wanted != self.listens {
            agent.listen(is_wanted);
            self.listens = is_wanted;
            self.lost = if is_wanted { agent.events_lost()? } else { 0 };
            self.continue_at = Instant::now() + CONTINUE_INTERVAL;
        }
        if is_wanted {
            agent.tell(&moment(agent)?, &mut |line| server.tell(line));
            server.serve().context(action)?;
        }
        Ok(())
    }

    /// Sweeps, and tells of it if somebody listens.
    pub(super) fn sweep(&mut self, agent: &mut Agent<Datapath>) -> Result<(), AgentError> {
        let Some(server) = self.server.as_mut().filter(|_| self.listens) else { return agent.sweep() };
        let now = Instant::now();
        let report = if self.continue_at <= now { Report::EndsAndContinuations } else { Report::Ends };
        if report == Report::EndsAndContinuations {
            self.continue_at = now + CONTINUE_INTERVAL;
        }
        let moment = moment(agent)?;
        agent.sweep_and_tell(report, &moment, &mut |line| server.tell(line))?;
        let lost = agent.events_lost()?;
        if lost > self.lost {
            server.tell(&line::lost(lost - self.lost, line::KERNEL));
        }
        self.lost = lost;
        Ok(())
    }

    /// When to look at the kernel's ring again, if anybody cares.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.listens.then(|| Instant::now() + LOOK_INTERVAL)
    }

    /// What to wait for.
    pub(super) fn wait_for(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.server.iter().flat_map(EventServer::wait_for)
    }
}

/// Now, by both clocks.
fn moment(agent: &Agent<Datapath>) -> Result<Moment, AgentError> {
    Ok(Moment {
        tick: agent.plane().tick()?,
        ticks_per_second: agent.plane().ticks_per_second(),
        wall_ms: wall_ms(),
    })
}
