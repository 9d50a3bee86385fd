//! What `cargo metadata` knows, reduced to what the checks ask.
//!
//! Offline and locked: tidy judges the commit as it stands and never changes the lock file. Only packages of
//! this machine's platform are looked at, because only these are linked into what is built here (the others
//! need not even be downloaded).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The members, and every package they pull in.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) members: Vec<Member>,
    pub(crate) packages: Vec<Package>,
}

/// One crate of ours.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a member's manifest.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The identifier that code writes: renamed or not, with `_`.
    pub(crate) identifier: String,
    pub(crate) section: Section,
    /// A member of this workspace.
    pub(crate) internal: bool,
}

/// Which code may use a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// `[dependencies]` and `[build-dependencies]`: what a build of the product needs.
    Code,
    /// `[dev-dependencies]`.
    Tests,
}

/// A package from elsewhere, direct or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The SPDX expression of its manifest.
    pub(crate) licence: Option<String>,
}

/// Reads the workspace at `root`, and what the fuzz targets pull in (a workspace of its own).
pub(crate) fn read(root: &Path) -> Result<Workspace> {
    let mut workspace = reduce(&metadata(&root.join("Cargo.toml"))?);
    let fuzz = root.join("fuzz/Cargo.toml");
    if fuzz.exists() {
        workspace.packages.extend(foreign(&metadata(&fuzz)?));
    }
    workspace.packages.sort();
    workspace.packages.dedup();
    Ok(workspace)
}

fn metadata(manifest: &Path) -> Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--offline", "--locked", "--filter-platform", &host()?].map(str::to_owned))
        .exec()
        .context("cargo metadata could not answer offline; `make setup` fetches the packages")
}

fn reduce(metadata: &Metadata) -> Workspace {
    let ours = |package: &&cargo_metadata::Package| metadata.workspace_members.contains(&package.id);
    let members = metadata.packages.iter().filter(ours).map(|package| member(metadata, package)).collect();
    Workspace { members, packages: foreign(metadata).collect() }
}

/// Packages that came from a registry or a repository, not from this tree.
fn foreign(metadata: &Metadata) -> impl Iterator<Item = Package> {
    metadata.packages.iter().filter(|package| package.source.is_some()).map(|package| Package {
        name: package.name.to_string(),
        version: package.version.to_string(),
        licence: package.license.clone(),
    })
}

fn member(metadata: &Metadata, package: &cargo_metadata::Package) -> Member {
    let manifest = &package.manifest_path;
    let relative = manifest.strip_prefix(&metadata.workspace_root).unwrap_or(manifest);
    let folder = relative.parent().map(ToString::to_string).unwrap_or_default();
    Member {
        name: package.name.to_string(),
        folder,
        dependencies: package.dependencies.iter().map(dependency).collect(),
    }
}

fn dependency(dependency: &cargo_metadata::Dependency) -> Dependency {
    let tests = dependency.kind == DependencyKind::Development;
    Dependency {
        name: dependency.name.clone(),
        identifier: dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_"),
        section: if tests { Section::Tests } else { Section::Code },
        internal: dependency.path.is_some(),
    }
}

/// The target triple of the compiler in use, as `rustc -vV` prints it.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc could not be started")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV did not print UTF-8")?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc -vV did not print a host line")
}
