//! The queue of one target, and the thread that empties it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Notice, Trouble, Way};
use crate::event::{Event, Events};

/// Notices that wait for one target.
const WAITING_MAX: usize = 1_024;
/// The pause after the first attempt that failed; each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// Attempts at one notice: the last one is after four minutes of pauses.
const ATTEMPTS_MAX: u32 = 9;
/// How often a pause looks whether the server ends.
const STEP: Duration = Duration::from_millis(50);
/// How long what waits may hold up the server's end.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Losses are told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A queue. When it is dropped, what waits is told once more, and the thread ends.
#[derive(Debug)]
pub(super) struct Queue {
    notices: Option<SyncSender<Arc<Notice>>>,
    lost: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    /// Starts the thread of a target of this name.
    pub(super) fn start(name: String, way: Box<dyn Way>, events: Events) -> io::Result<Self> {
        let (notices, waiting) = mpsc::sync_channel(WAITING_MAX);
        let (lost, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let work = Work { name, way, events, lost: Arc::clone(&lost), ends: Arc::clone(&ends), told: None };
        let thread = thread::Builder::new().name("notices".to_owned()).spawn(move || work.run(&waiting))?;
        Ok(Self { notices: Some(notices), lost, ends, thread: Some(thread) })
    }

    /// Adds a notice, if there is room.
    pub(super) fn put(&self, notice: &Arc<Notice>) {
        let Some(notices) = &self.notices else { return };
        if let Err(TrySendError::Full(_)) = notices.try_send(Arc::clone(notice)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(self.notices.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// The thread's own.
struct Work {
    name: String,
    way: Box<dyn Way>,
    events: Events,
    lost: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    /// When losses were told.
    told: Option<Instant>,
}

impl Work {
    fn run(mut self, waiting: &mpsc::Receiver<Arc<Notice>>) {
        let mut end = None;
        loop {
            match waiting.recv_timeout(TELL_EVERY) {
                Ok(notice) => {
                    if self.ends.load(Ordering::Relaxed) {
                        let end = *end.get_or_insert_with(|| Instant::now() + END_TIMEOUT);
                        if Instant::now() >= end {
                            self.lost.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                    }
                    self.tell(&notice);
                    self.tell_losses("too many wait, or it was tried too often", false);
                }
                Err(RecvTimeoutError::Timeout) => self.tell_losses("too many wait", false),
                Err(RecvTimeoutError::Disconnected) => {
                    self.tell_losses("the server ended", true);
                    return;
                }
            }
        }
    }

    fn tell(&mut self, notice: &Notice) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS_MAX {
            match self.way.tell(notice) {
                Ok(()) => return,
                Err(Trouble::Now(_)) if attempt < ATTEMPTS_MAX && self.wait(pause) => {
                    pause = (pause * 2).min(LAST_PAUSE);
                }
                Err(trouble) => {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                    self.tell_losses(&trouble.to_string(), false);
                    return;
                }
            }
        }
    }

    /// Waits; false if the server ends meanwhile, so that this was the last attempt.
    fn wait(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            if self.ends.load(Ordering::Relaxed) {
                return false;
            }
            thread::sleep(STEP.min(pause));
        }
        true
    }

    fn tell_losses(&mut self, why: &str, is_last: bool) {
        let is_due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if self.lost.load(Ordering::Relaxed) == 0 || !(is_due || is_last) {
            return;
        }
        let count = self.lost.swap(0, Ordering::Relaxed);
        self.told = Some(Instant::now());
        self.events.tell(Event::NoticesLost { target: self.name.clone(), count, why: why.to_owned() });
    }
}
