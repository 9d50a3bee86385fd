//! Hands what the kernel tells of flows to those who listen at the instance's socket, and to the server's recorder.
//!
//! The kernel wakes nobody for an event, so while somebody listens the agent looks every [`LOOK_INTERVAL`]; with a recorder
//! that is always. An instance whose socket cannot be opened enforces all the same, and tells nobody there.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::PollFd;
use palisade_datapath::{Datapath, Report};

use crate::agent::Agent;
use crate::agent::flows::EVENTS_AT_ONCE_MAX;
use crate::clock::wall_ms;
use crate::error::{AgentError, Context};
use crate::events::{EventServer, Kind, Moment, NameBook, Record, line};
use crate::records::Recorder;

/// How often the kernel's ring is looked at while somebody listens: it has room for what a flood causes in that time.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How often it is told of flows that go on.
const CONTINUE_INTERVAL: Duration = Duration::from_secs(60);

/// The socket, the recorder, and what was told.
#[derive(Debug)]
pub(super) struct Telling {
    server: Option<EventServer>,
    recorder: Option<Recorder>,
    /// Whether the kernel tells, because somebody listens.
    listens: bool,
    /// Whether the kernel had told more than was read.
    is_behind: bool,
    /// Events that the kernel had lost when those who listen were last told so.
    lost: u64,
    /// When to tell of flows that go on.
    continue_at: Instant,
    /// When that was told last, by the wall clock: who had no packet since then is not recorded again.
    continued_ms: u64,
}

impl Telling {
    /// Tells nobody yet.
    pub(super) fn new(recorder: Option<Recorder>) -> Self {
        Self {
            server: None,
            recorder,
            listens: false,
            is_behind: false,
            lost: 0,
            continue_at: Instant::now(),
            continued_ms: 0,
        }
    }

    /// Opens the socket.
    pub(super) fn open(&mut self, path: &Path) -> Result<(), AgentError> {
        let server = EventServer::open(path).context(|| format!("listen at {}", path.display()))?;
        self.server = Some(server);
        Ok(())
    }

    /// Takes in who came, and hands on what the kernel has told.
    pub(super) fn serve(&mut self, agent: &mut Agent<Datapath>) -> Result<(), AgentError> {
        self.serve_readers()?;
        let is_wanted = self.records() || self.has_readers();
        if is_wanted != self.listens {
            self.turn(agent, is_wanted)?;
        }
        if is_wanted {
            let mut audience = Audience::of(&mut self.server, &mut self.recorder);
            let told = agent.tell(&moment(agent)?, &mut |record, book| audience.tell(record, book));
            self.is_behind = told == EVENTS_AT_ONCE_MAX;
            self.serve_readers()?;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.keep_time();
        }
        Ok(())
    }

    /// Begins or ends to listen. For a recorder what was told while no agent was there counts too.
    fn turn(&mut self, agent: &mut Agent<Datapath>, is_wanted: bool) -> Result<(), AgentError> {
        if self.records() {
            agent.listen_on();
        } else {
            agent.listen(is_wanted);
        }
        self.listens = is_wanted;
        self.lost = if is_wanted { agent.events_lost()? } else { 0 };
        self.continue_at = Instant::now() + CONTINUE_INTERVAL;
        Ok(())
    }

    /// Lets the kernel be silent, unless another agent is to find what happens until it comes.
    pub(super) fn end(self, agent: &mut Agent<Datapath>) {
        if !self.records() {
            agent.listen(false);
        }
    }

    /// Sweeps, and tells of it if somebody listens.
    pub(super) fn sweep(&mut self, agent: &mut Agent<Datapath>) -> Result<(), AgentError> {
        if !self.listens {
            return agent.sweep();
        }
        let now = Instant::now();
        let report = if self.continue_at <= now { Report::EndsAndContinuations } else { Report::Ends };
        let moment = moment(agent)?;
        let continued_ms = self.continued_ms;
        if report == Report::EndsAndContinuations {
            (self.continue_at, self.continued_ms) = (now + CONTINUE_INTERVAL, moment.wall_ms);
        }
        let mut audience = Audience { continued_ms, ..Audience::of(&mut self.server, &mut self.recorder) };
        agent.sweep_and_tell(report, &moment, &mut |record, book| audience.tell(record, book))?;
        let lost = agent.events_lost()?;
        if lost > self.lost {
            audience.tell_lost(moment.wall_ms, lost - self.lost);
        }
        self.lost = lost;
        Ok(())
    }

    /// Why records are not spooled, if that is news.
    pub(super) fn trouble(&self) -> Option<String> {
        self.recorder.as_ref().and_then(Recorder::trouble)
    }

    /// When to look at the kernel's ring again, if anybody cares.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let pause = if self.is_behind { Duration::ZERO } else { LOOK_INTERVAL };
        self.listens.then(|| Instant::now() + pause)
    }

    /// What to wait for.
    pub(super) fn wait_for(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.server.iter().flat_map(EventServer::wait_for)
    }

    /// Whether there is a server that takes records, or may.
    fn records(&self) -> bool {
        self.recorder.as_ref().is_some_and(Recorder::is_wanted)
    }

    fn has_readers(&self) -> bool {
        self.server.as_ref().is_some_and(EventServer::has_subscribers)
    }

    fn serve_readers(&mut self) -> Result<(), AgentError> {
        let served = self.server.as_mut().map_or(Ok(()), EventServer::serve);
        served.context(|| "serve who listens to flows".into())
    }
}

/// Everybody who is told.
struct Audience<'t> {
    readers: Option<&'t mut EventServer>,
    recorder: Option<&'t mut Recorder>,
    continued_ms: u64,
}

impl<'t> Audience<'t> {
    fn of(server: &'t mut Option<EventServer>, recorder: &'t mut Option<Recorder>) -> Self {
        let readers = server.as_mut().filter(|server| server.has_subscribers());
        let recorder = recorder.as_mut().filter(|recorder| recorder.is_wanted());
        Self { readers, recorder, continued_ms: 0 }
    }

    fn tell(&mut self, record: &Record, book: &NameBook) {
        if let Some(readers) = &mut self.readers {
            readers.tell(&line::of(record, book));
        }
        let is_news = record.kind != Kind::Continue || record.last_ms >= Some(self.continued_ms);
        if let Some(recorder) = self.recorder.as_mut().filter(|_| is_news) {
            recorder.add(record, book);
        }
    }

    fn tell_lost(&mut self, now_ms: u64, count: u64) {
        if let Some(readers) = &mut self.readers {
            readers.tell(&line::lost(count, line::KERNEL));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.add_lost(now_ms, count);
        }
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
