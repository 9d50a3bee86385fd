//! Two processors for whoever is measured, however many there are.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::error::{Context as _, Result};

/// As long as it lives, this thread and what it starts have two processors.
pub(super) struct Two(CpuSet);

impl Two {
    pub(super) fn take() -> Result<Self> {
        let context = || "choose two processors".to_owned();
        let before = sched_getaffinity(Pid::from_raw(0)).context(context)?;
        let mut two = CpuSet::new();
        let allowed = (0..CpuSet::count()).filter(|&cpu| before.is_set(cpu).unwrap_or(false));
        allowed.take(2).try_for_each(|cpu| two.set(cpu)).context(context)?;
        sched_setaffinity(Pid::from_raw(0), &two).context(context)?;
        Ok(Self(before))
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        // It could be set a moment ago; at worst the next figure is of two processors too.
        let _ = sched_setaffinity(Pid::from_raw(0), &self.0);
    }
}
