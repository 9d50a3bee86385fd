//! Opening a pin directory, whatever was there: nothing, a datapath of this layout, or one of an older layout.
//!
//! An older one goes on enforcing while the new one is loaded beside it. The first publish writes the policy into the new
//! memory; only then is the program of each link exchanged, one link after the other and each in one step, and the pins
//! change places. So there is no instant without policy. Flows cannot be taken along: every NIC is new to the new memory
//! and meets its connections in the middle. A process that dies at any point leaves a state from which the next one
//! goes on:
//!
//! ```text
//! NAME           NAME-next              what is left to do
//! older          -                      load the new one
//! older          new, never published   publish
//! older          new, published         exchange the programs of the links that still have old ones
//! older, no links   new, with the links    let the directories change places
//! new            older, no links        remove the older one
//! ```

use std::path::Path;

use crate::{
    datapath::Config,
    error::Error,
    links,
    object::{self, Build, Kernel, Programs},
    pins::{self, PinDir, Place},
};

/// A datapath that this process may change.
#[derive(Debug)]
pub(crate) struct Opened {
    pub kernel: Kernel,
    pub dir: PinDir,
    /// The kernel's pins, if an older datapath is still in the place.
    pub staged: Option<PinDir>,
}

/// Takes over what is pinned at the configured place, or loads it there.
pub(crate) fn open(config: &Config, build: &Build) -> Result<Opened, Error> {
    let mut place = pins::enter(&config.pin_dir)?;
    let Some(dir) = place.current.take() else {
        place.drop_next()?;
        let unfinished = place.build()?;
        let kernel = create(config, build, &unfinished)?;
        return Ok(Opened { kernel, dir: place.fill(unfinished)?, staged: None });
    };
    let found = object::look(dir.path())?;
    refuse_newer(build, found.version, dir.path())?;
    let next = place.next.as_ref().map(|next| object::look(next.path())).transpose()?;
    if let Some(next) = next.as_ref().filter(|next| next.is_published) {
        refuse_newer(build, next.version, dir.path())?;
    }
    if found.version == build.version {
        place.drop_next()?;
        let kernel = object::adopt(build, &dir)?;
        return Ok(Opened { kernel, dir, staged: None });
    }
    match next {
        Some(next) if next.version == build.version => resume(build, dir, place, next.is_published),
        _ => {
            place.drop_next()?;
            let unfinished = place.build()?;
            let kernel = create(config, build, &unfinished)?;
            Ok(Opened { kernel, dir, staged: Some(place.stage(unfinished)?) })
        }
    }
}

fn create(config: &Config, build: &Build, unfinished: &pins::Unfinished) -> Result<Kernel, Error> {
    object::create(build, unfinished, &config.pin_dir, config.sizes, config.memory)
}

/// Goes on where a process died that was taking over an older datapath.
fn resume(build: &Build, mut dir: PinDir, place: Place, is_published: bool) -> Result<Opened, Error> {
    let mut next = place.next.expect("its version was read");
    let kernel = object::adopt(build, &next)?;
    if is_published {
        take_over(&mut dir, &mut next, &kernel.programs)?;
        return Ok(Opened { kernel, dir, staged: None });
    }
    Ok(Opened { kernel, dir, staged: Some(next) })
}

/// Puts the datapath of `next`, whose policy is in force, in the place of the older one in `dir`.
pub(crate) fn take_over(dir: &mut PinDir, next: &mut PinDir, programs: &Programs) -> Result<(), Error> {
    if dir.join(pins::LINKS).exists() {
        links::refresh(dir.path(), programs)?;
    }
    dir.replace(next)
}

fn refuse_newer(build: &Build, found: u32, dir: &Path) -> Result<(), Error> {
    if found > build.version {
        return Err(Error::Version { dir: dir.into(), found, expected: build.version });
    }
    Ok(())
}
