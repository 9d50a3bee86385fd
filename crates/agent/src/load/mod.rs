//! From files on disk, or what a server gave, to a checked estate: what the agent enforces and what every offline command
//! asks.
//!
//! The only place that reads an estate's files. It decides nothing about their meaning: `palisade_arm` reads them,
//! `palisade_model` checks them. Invariant: an estate comes out only if no file, template, parameter, tag or rule is in
//! error; otherwise every problem that was found comes out, and nothing else. Who only asks may take the rest of an estate in
//! error ([`leniently`]).

mod files;
mod lenient;
mod parameters;
mod problem;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use palisade_arm::estate::{self as arm, Document, File, Options, PlanSide, Summary};
use palisade_arm::service_tags::{self, ServiceTag};
use palisade_arm::template::DeploymentContext;
use palisade_model::spec::{EstateSpec, Unknown};
use palisade_model::{Estate, TagCatalog, TagName, TagNameError};
use palisade_net::Prefix;
use palisade_sync::Documents;
use palisade_sync::documents::SERVICE_TAG_PREFIX;

pub(crate) use files::find;
pub use files::{FILES_MAX, FOLDER_DEPTH_MAX, SourceFile, TOTAL_BYTES_MAX};
pub use lenient::{LeftOut, Salvaged, leniently};
pub use problem::Problem;

use sha2::{Digest as _, Sha256};

use crate::error::in_full;
use files::Reader;
use problem::Code;

/// What the user names on the command line as an estate.
#[derive(Debug, Clone, Default)]
pub struct EstateSources {
    /// Templates, dumps, request bodies, plans, and folders of them.
    pub paths: Vec<PathBuf>,
    /// Parameter files for the templates among `paths`. One that stands beside its template is found without being named.
    pub parameters: Vec<PathBuf>,
    /// Files of service tags; a tag that several define is the last one's.
    pub service_tags: Vec<PathBuf>,
    /// Where the templates are deployed to.
    pub context: DeploymentContext,
    /// Which side of Terraform plans is meant.
    pub plans: PlanSide,
}

impl EstateSources {
    fn options(&self) -> Options {
        Options { context: self.context.clone(), plans: self.plans }
    }
}

/// Where an estate comes from.
#[derive(Debug, Clone)]
pub enum Input {
    /// What a user names.
    Files(Box<EstateSources>),
    /// What a server gave: each resource under its id, and the service tags that they name.
    Documents {
        /// The resources and tags.
        documents: Arc<Documents>,
        /// Files of service tags, which are this host's own: for names that the server did not send.
        service_tags: Vec<PathBuf>,
    },
}

impl From<EstateSources> for Input {
    fn from(sources: EstateSources) -> Self {
        Self::Files(Box::new(sources))
    }
}

/// An estate, and what there is to say about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The estate.
    pub estate: Estate,
    /// What it was made of, as it was written.
    pub spec: EstateSpec,
    /// What surprises, and does not refuse the estate.
    pub warnings: Vec<Problem>,
    /// What the input leaves open.
    pub unknowns: Vec<Unknown>,
    /// What was read, counted.
    pub summary: Summary,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// Digest of their names and contents, in hexadecimal.
    pub digest: String,
}

/// Why there is no estate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the estate is refused: {}", summarise(.problems))]
pub struct LoadError {
    /// Everything that was found, warnings too, errors first.
    pub problems: Vec<Problem>,
    /// Digest of the names and contents of the files, as [`Loaded::digest`].
    pub digest: String,
}

fn summarise(problems: &[Problem]) -> String {
    let mut errors = problems.iter().filter(|problem| problem.is_error);
    let first = errors.next().map(ToString::to_string).unwrap_or_default();
    match errors.count() {
        0 => first,
        others => format!("{first} (and {others} more)"),
    }
}

/// Reads and checks an estate, wherever it comes from.
///
/// # Errors
/// [`LoadError`] with all problems, if any of them is an error.
pub fn read(input: &Input) -> Result<Loaded, LoadError> {
    match input {
        Input::Files(sources) => estate(sources),
        Input::Documents { documents, service_tags } => received(documents, service_tags),
    }
}

/// Checks an estate that a server gave. That there is nothing in it is no error: no machine of this host has a NIC.
///
/// A tag that the server sent is the one by which it checked the rules, whatever a file of this host says.
fn received(received: &Documents, service_tags: &[PathBuf]) -> Result<Loaded, LoadError> {
    let mut reader = Reader::default();
    let tag_files = reader.read_all(service_tags);
    let mut problems = reader.problems;
    let digest = HEXLOWER.encode(&received.hash()) + &digest_of_tags(&tag_files);
    let bodies = received
        .iter()
        .map(|(key, entry)| SourceFile { path: PathBuf::from(&**key), bytes: entry.body().to_vec() });
    let (sent, resources): (Vec<_>, Vec<_>) =
        bodies.partition(|file| file.path.starts_with(SERVICE_TAG_PREFIX));
    let files = tag_files.iter().map(|file| file.path.clone()).collect();
    let tags = catalog(tag_files.iter().chain(&sent), &mut problems);
    let documents = texts(resources, &mut problems).into_iter().map(document).collect();
    Unchecked { documents, options: Options::default(), tags, files, digest, problems }.check()
}

/// Reads files of service tags; a tag that several define is the last one's.
///
/// # Errors
/// [`LoadError`] with all problems.
pub fn tags(service_tags: &[PathBuf]) -> Result<TagCatalog, LoadError> {
    let mut reader = Reader::default();
    let files = reader.read_all(service_tags);
    let mut problems = reader.problems;
    let tags = catalog(files.iter(), &mut problems);
    if problems.is_empty() { Ok(tags) } else { Err(LoadError { problems, digest: digest_of_tags(&files) }) }
}

/// Reads and checks an estate of files.
///
/// # Errors
/// [`LoadError`] with all problems, if any of them is an error.
pub fn estate(sources: &EstateSources) -> Result<Loaded, LoadError> {
    estate_with(sources, |_| {})
}

/// The same of an estate that is edited after it was read and before it is checked.
///
/// # Errors
/// [`LoadError`] with every problem.
pub fn estate_with(sources: &EstateSources, edit: impl FnOnce(&mut EstateSpec)) -> Result<Loaded, LoadError> {
    let mut reader = Reader::default();
    let inputs = reader.read_all(&sources.paths);
    let parameters = reader.read_all(&sources.parameters);
    let tag_files = reader.read_all(&sources.service_tags);
    let all = || [&inputs, &parameters, &tag_files].into_iter().flatten();
    let files = all().map(|file| file.path.clone()).collect();
    let digest = digest(all());
    let mut problems = reader.problems;
    let tags = catalog(tag_files.iter(), &mut problems);
    let documents = documents(inputs, parameters, &mut problems);
    Unchecked { documents, options: sources.options(), tags, files, digest, problems }.check_with(edit)
}

/// The files of an estate with their parameters.
fn documents(
    inputs: Vec<SourceFile>,
    parameters: Vec<SourceFile>,
    problems: &mut Vec<Problem>,
) -> Vec<Document> {
    if inputs.is_empty() && problems.is_empty() {
        let message = "no file was found (name an ARM template, a dump, or a folder with *.json files)";
        problems.push(Problem::about_input(Code::NoInput, message.to_owned()));
    }
    let mut documents: Vec<_> = texts(inputs, problems).into_iter().map(document).collect();
    parameters::assign(&mut documents, texts(parameters, problems), problems);
    documents
}

/// An estate that was read, and not checked yet.
struct Unchecked {
    documents: Vec<Document>,
    options: Options,
    tags: TagCatalog,
    files: Vec<PathBuf>,
    digest: String,
    problems: Vec<Problem>,
}

impl Unchecked {
    fn check(self) -> Result<Loaded, LoadError> {
        self.check_with(|_| {})
    }

    fn check_with(self, edit: impl FnOnce(&mut EstateSpec)) -> Result<Loaded, LoadError> {
        let Self { documents, options, tags, files, digest, mut problems } = self;
        let mut read = arm::read(&documents, &options);
        edit(&mut read.spec);
        problems.extend(read.problems.into_iter().map(Problem::from));
        let (estate, found) = Estate::validate(&read.spec, tags);
        problems.extend(found.into_iter().map(Problem::from));
        match estate {
            Some(estate) if !problems.iter().any(|problem| problem.is_error) => {
                let unknowns = estate.unknowns().to_vec();
                let (spec, summary) = (read.spec, read.summary);
                Ok(Loaded { estate, spec, warnings: problems, unknowns, summary, files, digest })
            }
            _ => {
                problems.sort_by_key(|problem| !problem.is_error);
                Err(LoadError { problems, digest })
            }
        }
    }
}

fn digest<'a>(files: impl Iterator<Item = &'a SourceFile>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        for part in [file.path.as_os_str().as_encoded_bytes(), &file.bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    HEXLOWER.encode(&hash.finalize())
}

/// What tag files add to the digest of what a server gave: nothing where there are none.
fn digest_of_tags(files: &[SourceFile]) -> String {
    if files.is_empty() { String::new() } else { digest(files.iter()) }
}

fn document(file: File) -> Document {
    Document { file, parameters: None }
}

/// The files as texts under the names that messages use.
fn texts(files: Vec<SourceFile>, problems: &mut Vec<Problem>) -> Vec<File> {
    let mut texts = Vec::with_capacity(files.len());
    for SourceFile { path, bytes } in files {
        match String::from_utf8(bytes) {
            Ok(text) => texts.push(File { name: path.display().to_string(), text }),
            Err(error) => {
                let message = format!("the file is not UTF-8: {}", error.utf8_error());
                problems.push(Problem::about_file(Code::UnreadableFile, &path, message));
            }
        }
    }
    texts
}

/// The tags of all files. A file with one bad prefix is refused: a tag with a hole admits or denies the wrong traffic.
fn catalog<'a>(files: impl Iterator<Item = &'a SourceFile>, problems: &mut Vec<Problem>) -> TagCatalog {
    let mut files = files.peekable();
    if files.peek().is_none() {
        return TagCatalog::default();
    }
    let mut tags = Vec::new();
    for file in files {
        match tags_of(file) {
            Ok(found) => tags.extend(found),
            Err(message) => problems.push(Problem::about_file(Code::ServiceTagFile, &file.path, message)),
        }
    }
    TagCatalog::new(tags)
}

fn tags_of(file: &SourceFile) -> Result<Vec<(TagName, Vec<Prefix>)>, String> {
    let text = str::from_utf8(&file.bytes).map_err(|error| format!("not UTF-8: {error}"))?;
    let read = service_tags::read(text).map_err(|error| in_full(&error))?;
    if !read.complete {
        return Err("the list goes on in a page that the file does not hold (fetch all pages)".to_owned());
    }
    let named = |tag: ServiceTag| tag.name.parse().map(|name| (name, tag.prefixes));
    read.tags.into_iter().map(named).collect::<Result<_, TagNameError>>().map_err(|error| error.to_string())
}
