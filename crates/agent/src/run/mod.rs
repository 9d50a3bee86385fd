//! The loop of the agent: waits for interfaces, files, signals and the time, and then lets [`Agent`] look again.
//!
//! Everything it hears is a hint to look at the whole, so nothing depends on hearing all of it. Enforcement does not
//! depend on it at all: programs and policy are in the kernel, and stay there when it ends, however it ends.

mod file_watch;
mod follower;
mod signals;
mod telling;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use palisade_datapath::{Config, Datapath};

use crate::agent::Agent;
use crate::clock::{ClockWatch, Reading, wall_s};
use crate::error::{AgentError, Context, in_full};
use crate::event::Event;
use crate::identity::Identity;
use crate::instance::Instance;
use crate::interfaces::Inventory;
use crate::interfaces::bypass::Roots;
use crate::interfaces::watch::LinkWatch;
use crate::load::EstateSources;
use crate::records::Recorder;
use crate::remote::ServerOptions;
use crate::remove::release;
use crate::tuning::Tuning;
use file_watch::FileWatch;
use follower::Follower;
use signals::{Request, Signals};
use telling::Telling;

/// How often flows that are over are removed, and everything is looked at though nothing was heard.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How long after the first sign of a change the files are read: editors write in several steps.
const SETTLE: Duration = Duration::from_millis(50);

/// After an interface was heard of, interfaces are looked at again: first so soon, then after twice the time, and so on.
/// The kernel keeps silent when an alias is given to an interface that is down, which is just when it should be found.
const FOLLOW_UP_FIRST: Duration = Duration::from_millis(4);
/// The longest pause between two looks that follow up.
const FOLLOW_UP_LAST: Duration = Duration::from_secs(1);

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the agent lives.
    pub instance: Instance,
    /// What it enforces.
    pub sources: Sources,
    /// Release every interface at the end, which opens the machines.
    pub detach_on_exit: bool,
    /// How much the flows of machines may take.
    pub tuning: Tuning,
}

/// Who gives an agent its estate.
#[derive(Debug, Clone)]
pub enum Sources {
    /// Files that a user names.
    Files(Box<EstateSources>),
    /// A server. What it gave last is enforced with and without it.
    Server(Box<ServerOptions>),
}

impl Sources {
    /// The files that are looked at for changes.
    fn files(&self) -> EstateSources {
        match self {
            Self::Files(sources) => (**sources).clone(),
            Self::Server(server) => {
                EstateSources { service_tags: server.service_tags.clone(), ..EstateSources::default() }
            }
        }
    }

    /// What there is to follow, if it is a server.
    fn follower(&self) -> Result<Option<Follower>, AgentError> {
        match self {
            Self::Files(_) => Ok(None),
            Self::Server(server) => Follower::open((**server).clone(), wall_s()).map(Some),
        }
    }
}

impl From<EstateSources> for Sources {
    fn from(sources: EstateSources) -> Self {
        Self::Files(Box::new(sources))
    }
}

/// How an attempt to apply once ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The estate is in force; the number of its policy.
    InForce(u64),
    /// It is not, or not at every interface; the events say why.
    NotInForce,
}

/// Brings the estate into force once, frees the places of flows that are over, and leaves it to the kernel. A server is not
/// asked: what it gave last counts.
///
/// # Errors
/// If the agent cannot start or look at the host.
pub fn apply_once(options: &Options, mut tell: impl FnMut(&Event)) -> Result<Applied, AgentError> {
    let follower = options.sources.follower()?;
    let mut agent = start(options, follower.as_ref())?;
    let has_estate = follower.is_none_or(|follower| follower.input().is_some());
    let loaded = if has_estate { agent.load(wall_s()) } else { Ok(()) };
    let outcome = loaded.and_then(|()| look(&agent)).and_then(|seen| agent.sync(&seen.host, wall_s()));
    let outcome = outcome.and_then(|is_done| agent.keep_endpoints().map(|()| is_done));
    agent.take_events().iter().for_each(&mut tell);
    let is_done = outcome?;
    agent.sweep()?;
    let generation = agent.state().published.as_ref().map(|published| published.generation);
    Ok(match generation {
        Some(generation) if is_done && has_estate && agent.state().refused.is_none() => {
            Applied::InForce(generation)
        }
        _ => Applied::NotInForce,
    })
}

/// Keeps the estate in force until SIGTERM or SIGINT. SIGHUP reads it again.
///
/// These signals are blocked in the calling thread meanwhile; a thread that was started before and does not block them
/// would take them away.
///
/// # Errors
/// If the agent cannot start, or cannot wait.
pub fn run(options: &Options, tell: impl FnMut(&Event)) -> Result<(), AgentError> {
    // Listening comes before the first look, so that no change falls between the two.
    let signals = Signals::block()?;
    let links = LinkWatch::open().context(|| "listen for changes of network interfaces".into())?;
    let files = FileWatch::open().context(|| "listen for changes of files".into())?;
    let clock = ClockWatch::open().context(|| "listen for steps of the wall clock".into())?;
    let follower = options.sources.follower()?;
    let agent = start(options, follower.as_ref())?;
    let outbox = follower.as_ref().map(Follower::outbox);
    let recorder = outbox.map(Recorder::start).transpose().context(|| "start to record flows".into())?;
    let mut telling = Telling::new(recorder);
    let opened = telling.open(&options.instance.events_socket());
    let mut service = Service {
        agent,
        follower,
        telling,
        signals,
        links,
        files,
        watched: options.sources.files(),
        clock,
        seen: None,
        tell,
        settled_at: None,
        follow_up: None,
        look_at: Instant::now() + LOOK_INTERVAL,
    };
    service.note(opened);
    let why = service.serve()?;
    let Service { mut agent, mut tell, telling, .. } = service;
    telling.end(&mut agent);
    tell(&Event::Stopping { why, releases: options.detach_on_exit });
    if options.detach_on_exit { release(agent.into_plane(), &options.instance) } else { Ok(()) }
}

fn start(options: &Options, follower: Option<&Follower>) -> Result<Agent<Datapath>, AgentError> {
    let tuning = &options.tuning;
    let open = |instance: &Instance| {
        let config = Config::new(&instance.pin_dir);
        Ok(Datapath::open(&Config { sizes: tuning.sizes(), grace: tuning.grace, ..config })?)
    };
    let received = follower.and_then(Follower::input);
    let input = received.unwrap_or_else(|| options.sources.files().into());
    let mut agent = Agent::start(options.instance.clone(), input, tuning.limits(), wall_s(), open)?;
    if follower.is_none() {
        // One that was killed while somebody listened left the kernel telling.
        agent.listen(false);
    }
    agent.follow_clock(&Reading::take()?)?;
    Ok(agent)
}

/// What was seen of the host.
struct Seen {
    host: Inventory,
    /// The NICs whose interfaces were looked for.
    nics: Vec<Identity>,
}

/// Looks at the host.
fn look(agent: &Agent<Datapath>) -> Result<Seen, AgentError> {
    let nics = agent.state().identities.clone();
    let tags = nics.iter().filter_map(|nic| nic.interface.as_deref());
    let host = Inventory::take(&Roots::default(), tags).context(|| "list the network interfaces".into())?;
    Ok(Seen { host, nics })
}

/// A running agent and what it listens to.
struct Service<T> {
    agent: Agent<Datapath>,
    follower: Option<Follower>,
    telling: Telling,
    signals: Signals,
    links: LinkWatch,
    files: FileWatch,
    watched: EstateSources,
    clock: ClockWatch,
    /// What was seen last. What changes at interfaces is heard, and looked at then.
    seen: Option<Seen>,
    tell: T,
    /// When to read files that gave a sign of change.
    settled_at: Option<Instant>,
    /// When to look at interfaces again, and how long to wait after that.
    follow_up: Option<(Instant, Duration)>,
    /// When to look at everything though nothing was heard.
    look_at: Instant,
}

impl<T: FnMut(&Event)> Service<T> {
    /// Goes on until a signal says otherwise; its name.
    fn serve(&mut self) -> Result<String, AgentError> {
        // Machines that started while no agent was alive are closed before the estate is read, which takes time.
        self.sync();
        if self.follower.is_some() {
            // What the server gave last is no file that anybody changes.
            self.reload();
        }
        self.look_at_files();
        loop {
            self.agent.take_events().iter().for_each(&mut self.tell);
            self.wait()?;
            match self.signals.take()? {
                Some(Request::Stop(name)) => return Ok(name),
                Some(Request::Reload) => self.reload(),
                None => {}
            }
            if self.links.drain().context(|| "hear of network interfaces".into())? {
                self.sync();
                self.follow_up = Some((Instant::now() + FOLLOW_UP_FIRST, FOLLOW_UP_FIRST * 2));
            }
            if self.files.drain().context(|| "hear of files".into())? {
                self.settled_at.get_or_insert_with(|| Instant::now() + SETTLE);
            }
            if self.clock.drain().context(|| "hear of the wall clock".into())? {
                self.follow_clock();
            }
            self.hear_server();
            let served = self.telling.serve(&mut self.agent);
            self.note(served);
            if let Some(error) = self.telling.trouble() {
                (self.tell)(&Event::Trouble { error });
            }
            self.keep_time();
        }
    }

    /// Does what it is time for.
    fn keep_time(&mut self) {
        let now = Instant::now();
        let is_time = self.look_at <= now;
        if is_time || self.settled_at.is_some_and(|settled_at| settled_at <= now) {
            self.settled_at = None;
            self.look_at_files();
        }
        if is_time {
            self.look_at = now + LOOK_INTERVAL;
            self.follow_clock();
            self.sync();
            let swept = self.telling.sweep(&mut self.agent);
            self.note(swept);
        }
        if let Some((_, pause)) = self.follow_up.filter(|(at, _)| *at <= now) {
            self.follow_up = (pause <= FOLLOW_UP_LAST).then(|| (now + pause, pause * 2));
            self.sync();
        }
    }

    fn look_at_files(&mut self) {
        if self.files.has_changed(&self.watched) {
            self.reload();
        }
    }

    fn follow_clock(&mut self) {
        let followed = Reading::take().and_then(|reading| self.agent.follow_clock(&reading));
        if matches!(followed, Ok(true)) {
            self.reload();
        }
        self.note(followed.map(drop));
    }

    fn hear_server(&mut self) {
        let Some(follower) = &mut self.follower else { return };
        let Some(heard) = follower.hear(&mut self.agent, wall_s()) else { return };
        heard.events.iter().for_each(&mut self.tell);
        if heard.is_estate_new {
            self.load();
        }
        // The kernel tells of interfaces by itself, and was heard just now; somebody waits for this change.
        match self.seen.take() {
            Some(seen) if seen.nics == self.agent.state().identities => self.agree(seen),
            _ => self.sync(),
        }
    }

    fn reload(&mut self) {
        self.load();
        self.sync();
    }

    fn load(&mut self) {
        if self.follower.as_ref().is_none_or(|follower| follower.input().is_some()) {
            let loaded = self.agent.load(wall_s());
            self.note(loaded);
        }
        if let Some(follower) = &mut self.follower {
            follower.loaded(&self.agent);
        }
    }

    /// Looks at the host, and makes the kernel agree.
    fn sync(&mut self) {
        match look(&self.agent) {
            Ok(seen) => {
                if let Some(follower) = &mut self.follower {
                    follower.looked(&seen.host, wall_s());
                }
                self.agree(seen);
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// Makes the kernel agree with what was seen of the host.
    fn agree(&mut self, seen: Seen) {
        let outcome = self.agent.sync(&seen.host, wall_s());
        let kept = self.agent.keep_endpoints();
        self.note(kept);
        if let Some(follower) = &mut self.follower {
            match follower.synced(&mut self.agent, &outcome, &seen.host) {
                Ok(events) => events.iter().for_each(&mut self.tell),
                Err(error) => self.note(Err(error)),
            }
        }
        self.seen = Some(seen);
        self.note(outcome.map(drop));
    }

    /// What fails here is tried again, and what was enforced still is: no reason to end.
    fn note(&mut self, outcome: Result<(), AgentError>) {
        if let Err(error) = outcome {
            (self.tell)(&Event::Trouble { error: in_full(&error) });
        }
    }

    /// Waits until something is heard or it is time.
    fn wait(&self) -> Result<(), AgentError> {
        let until = [self.settled_at, self.follow_up.map(|(at, _)| at), self.telling.look_at()]
            .into_iter()
            .flatten()
            .fold(self.look_at, Instant::min);
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let own = [self.signals.as_fd(), self.links.as_fd(), self.files.as_fd(), self.clock.as_fd()];
        let server = self.follower.as_ref().and_then(Follower::wait_for);
        let own = own.into_iter().chain(server).map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut wait_for: Vec<_> = own.chain(self.telling.wait_for()).collect();
        match poll(&mut wait_for, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno).context(|| "wait".into()),
        }
    }
}
