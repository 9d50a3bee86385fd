//! Disks as files: raw and qcow2, of one layer or several, opened to be read.
//!
//! Whoever had the machine may have written every byte of them. What leads out of the disk's folder or is not understood whole is refused
//! before a library sees the file; the library (imago) then reads guest data. A format is never guessed from content, since the guest
//! writes a raw disk's content. Files are opened once, so that what was judged is what is read.

mod disk;
mod header;
mod overlay;
mod refusal;
mod tables;

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use imago::{
    DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder as _, Mapping, StorageOpenOptions,
    file::File as Storage, qcow2::Qcow2, raw::Raw,
};
use nix::unistd::{Whence, lseek};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use disk::ImageDisk;
pub use header::{HEADER_MAX, Header, L1_BYTES_MAX, MAGIC, REFCOUNT_TABLE_BYTES_MAX, VIRTUAL_SIZE_MAX};
pub use overlay::write_overlay;
pub use refusal::Refusal;
pub use tables::{CLUSTERS_MAX, COMPRESSED_MAX, DATA_MAX, ReadAt, Survey, SurveyError};

/// Layers of a disk.
pub const LAYERS_MAX: usize = 16;

/// How a file holds a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Byte for byte.
    Raw,
    /// QEMU's format, with tables.
    Qcow2,
}

impl Format {
    /// Its name, as QEMU has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Raw, Self::Qcow2].into_iter().find(|format| format.name() == name)
    }
}

/// A file with a disk, and what holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Named by a user, or by the file's extension.
    pub format: Format,
    /// Whether a user has named the format.
    pub is_said: bool,
}

impl Place {
    /// Reads `raw:PATH`, `qcow2:PATH`, or a path whose extension is `raw`, `img` or `qcow2`.
    ///
    /// # Errors
    /// [`Refusal::UnknownFormat`] where neither tells.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some((format, path)) =
            text.split_once(':').and_then(|(name, path)| Some((Format::named(name)?, path)))
        {
            return Ok(Self { path: path.into(), format, is_said: true });
        }
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("raw" | "img") => Format::Raw,
            Some("qcow2") => Format::Qcow2,
            _ => return Err(Refusal::UnknownFormat),
        };
        Ok(Self { path, format, is_said: false })
    }

    /// A file whose format is known.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self { path: path.into(), format, is_said: true }
    }
}

/// Why a disk could not be opened or read.
#[derive(Debug, Error)]
pub enum ImageError {
    /// It is refused.
    #[error("{}: {refusal}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
    /// The file system failed.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl ImageError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    fn refused(path: &Path) -> impl FnOnce(Refusal) -> Self + '_ {
        move |refusal| Self::Refused { path: path.to_owned(), refusal }
    }

    /// What is refused, if that is why.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Io { .. } => None,
        }
    }
}

/// One file of a disk.
#[derive(Debug)]
pub struct Layer {
    /// Where it is.
    pub path: PathBuf,
    /// How it holds the disk.
    pub format: Format,
    /// Bytes of the file.
    pub length: u64,
    /// Bytes of the disk.
    pub size: u64,
    /// What its tables say; a raw file has none.
    pub survey: Option<Survey>,
    backing: Option<(String, String)>,
    file: File,
}

/// A disk, open to be read.
#[derive(Debug)]
pub struct Image {
    /// Its files, the uppermost first.
    pub layers: Vec<Layer>,
    access: FormatAccess<Storage>,
}

impl Image {
    /// Opens a disk and all that it stands on, which must be below the folder that the disk is in.
    ///
    /// # Errors
    /// What is refused, by name and file, or the system's error.
    pub fn open(place: &Place) -> Result<Self, ImageError> {
        let folder =
            place.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(ImageError::io(folder))?;
        let mut layers = vec![Layer::open(place)?];
        while let Some(place) =
            layers.last().and_then(|layer| layer.below(&folder).transpose()).transpose()?
        {
            if layers.len() == LAYERS_MAX {
                return Err(ImageError::refused(&place.path)(Refusal::TooManyLayers { max: LAYERS_MAX }));
            }
            let layer = Layer::open(&place)?;
            stands(&layers, &layer).map_err(ImageError::refused(&place.path))?;
            layers.push(layer);
        }
        Self::assemble(layers)
    }

    /// Opens the uppermost layer of a disk, wherever what its header says that it stands on has gone: `base` is put below it.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_on(place: &Place, base: &Place) -> Result<Self, ImageError> {
        let top = Layer::open(place)?;
        let base = Self::open(base)?;
        let mut layers = vec![top];
        for layer in base.layers {
            stands(&layers, &layer).map_err(ImageError::refused(&layer.path))?;
            layers.push(layer);
        }
        Self::assemble(layers)
    }

    /// Only the uppermost layer: what it does not have reads as zeros.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_alone(place: &Place) -> Result<Self, ImageError> {
        Self::assemble(vec![Layer::open(place)?])
    }

    fn assemble(layers: Vec<Layer>) -> Result<Self, ImageError> {
        let mut below: Option<Arc<FormatAccess<Storage>>> = None;
        for layer in layers.iter().rev() {
            let access = layer.access(below.take()).map_err(ImageError::io(&layer.path))?;
            below = Some(Arc::new(access));
        }
        let access = below.and_then(Arc::into_inner).expect("a disk has a layer, and nobody else holds it");
        Ok(Self { layers, access })
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        self.layers[0].size
    }

    /// The uppermost file.
    pub fn path(&self) -> &Path {
        &self.layers[0].path
    }

    /// Reads guest data; what is after the disk's end reads as zeros.
    ///
    /// # Errors
    /// The file's, or data that cannot be unpacked.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), ImageError> {
        self.access.read(buffer, offset).map_err(ImageError::io(self.path()))
    }

    /// What is at an offset of the disk: how many bytes alike, and whether they are nothing but zeros that nobody stored.
    ///
    /// # Errors
    /// The file's.
    pub fn extent(&self, offset: u64, length: u64) -> Result<(u64, bool), ImageError> {
        if let [layer] = &self.layers[..]
            && layer.format == Format::Raw
        {
            return layer.hole(offset, length);
        }
        let (mapping, alike) =
            self.access.get_mapping(offset, length).map_err(ImageError::io(self.path()))?;
        let is_zero = matches!(mapping, Mapping::Zero { .. } | Mapping::Eof { .. });
        // An extent of nothing would be asked for again without end.
        Ok((if alike == 0 { length } else { alike.min(length) }, is_zero))
    }
}

impl Layer {
    fn open(place: &Place) -> Result<Self, ImageError> {
        let path = &place.path;
        let io = || ImageError::io(path);
        let refused = || ImageError::refused(path);
        // A pipe or device in place of the file must neither hang nor be read; a link in its place leads elsewhere.
        let flags = (nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK).bits();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io())?;
        let metadata = file.metadata().map_err(io())?;
        if !metadata.is_file() {
            return Err(refused()(Refusal::NotAFile));
        }
        let length = metadata.len();
        let mut first = Vec::new();
        (&file).take(HEADER_MAX as u64).read_to_end(&mut first).map_err(io())?;
        let (size, survey, backing) = match place.format {
            Format::Raw if first.starts_with(&MAGIC) && !place.is_said => {
                return Err(refused()(Refusal::Ambiguous));
            }
            Format::Raw if length == 0 || length > VIRTUAL_SIZE_MAX => {
                return Err(refused()(Refusal::VirtualSize { size: length, max: VIRTUAL_SIZE_MAX }));
            }
            Format::Raw => (length, None, None),
            Format::Qcow2 => {
                let header = Header::parse(&first).map_err(refused())?;
                let survey = Survey::of(&file, length, &header).map_err(|error| match error {
                    SurveyError::Refused(refusal) => refused()(refusal),
                    SurveyError::Io(source) => io()(source),
                })?;
                (header.size, Some(survey), header.backing)
            }
        };
        Ok(Self { path: path.clone(), format: place.format, length, size, survey, backing, file })
    }

    /// What it stands on.
    fn below(&self, folder: &Path) -> Result<Option<Place>, ImageError> {
        let Some((name, format)) = &self.backing else {
            return Ok(None);
        };
        let refused = || ImageError::refused(&self.path);
        let why = |why| Refusal::BackingPath { name: name.clone(), why };
        let relative = Path::new(name);
        if name.contains(':') {
            return Err(refused()(why("names a protocol")));
        }
        if relative.is_absolute() {
            return Err(refused()(why("is an absolute path")));
        }
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(refused()(why("leaves the folder")));
        }
        let format = Format::named(format)
            .ok_or_else(|| Refusal::BackingFormat { name: name.clone(), format: format.clone() })
            .map_err(refused())?;
        let path = self.path.parent().unwrap_or(Path::new("")).join(relative);
        let real = path.canonicalize().map_err(ImageError::io(&path))?;
        if !real.starts_with(folder) {
            return Err(refused()(why("is a link out of the folder")));
        }
        Ok(Some(Place { path, format, is_said: true }))
    }

    /// The library's view of the file that was judged.
    fn access(&self, below: Option<Arc<FormatAccess<Storage>>>) -> io::Result<FormatAccess<Storage>> {
        let storage = Storage::from_open_file(self.file.try_clone()?, StorageOpenOptions::new())?;
        Ok(match self.format {
            Format::Raw => FormatAccess::new(Raw::builder(storage).open(DenyImplicitOpenGate::default())?),
            Format::Qcow2 => {
                let builder = Qcow2::<Storage, Arc<FormatAccess<Storage>>>::builder(storage)
                    .backing(below)
                    .data_file(None);
                FormatAccess::new(builder.open(DenyImplicitOpenGate::default())?)
            }
        })
    }

    /// The open file.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// What is at an offset of the file: how many bytes alike, and whether nothing is stored there.
    pub(crate) fn hole(&self, offset: u64, length: u64) -> Result<(u64, bool), ImageError> {
        hole(&self.file, offset, length).map_err(ImageError::io(&self.path))
    }

    /// Device and inode.
    fn identity(&self) -> io::Result<(u64, u64)> {
        self.file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
    }
}

/// Asks the file system what it has stored.
pub(crate) fn hole(file: &File, offset: u64, length: u64) -> io::Result<(u64, bool)> {
    let at = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let data = match lseek(file, at, Whence::SeekData) {
        // No data up to the end.
        Err(nix::errno::Errno::ENXIO) => return Ok((length, true)),
        data => u64::try_from(data?).unwrap_or(offset),
    };
    if data > offset {
        return Ok((length.min(data - offset), true));
    }
    let end = u64::try_from(lseek(file, at, Whence::SeekHole)?).unwrap_or(offset);
    Ok((end.saturating_sub(offset).clamp(1, length), false))
}

/// Whether a layer can be below others.
fn stands(above: &[Layer], layer: &Layer) -> Result<(), Refusal> {
    let identity = layer.identity().ok();
    if identity.is_none() || above.iter().any(|other| other.identity().ok() == identity) {
        return Err(Refusal::Circle);
    }
    match above.last() {
        Some(top) if top.size != layer.size => Err(Refusal::LayerSizes { top: top.size, below: layer.size }),
        _ => Ok(()),
    }
}
