//! Images: what servers boot from.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{fields, pair};
use crate::{
    arguments::Context,
    failure::Failure,
    output::{
        cell::{plain, size, word},
        progress::Metered,
        table::Column,
        talk,
    },
    resolve::{self, IMAGE},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the images
    #[command(name = "image-list")]
    List,
    /// Show one image
    #[command(name = "image-show")]
    Show {
        /// Its name or id
        image: String,
    },
    /// Upload an image
    #[command(name = "image-create")]
    Create(Create),
    /// Delete images
    #[command(name = "image-delete")]
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        images: Vec<String>,
    },
}

/// An image to be uploaded.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// What it is to be called
    name: String,
    /// The file to upload
    #[arg(long)]
    file: PathBuf,
    /// What is in the file; found out by looking when it is not said
    #[arg(long, alias = "disk_format")]
    disk_format: Option<DiskFormat>,
    /// Let every project use it
    #[arg(long)]
    public: bool,
    /// The smallest disk for it, GiB
    #[arg(long, alias = "min_disk", value_name = "GIB", default_value_t = 0)]
    min_disk: u32,
    /// The least memory for it, MiB
    #[arg(long, alias = "min_ram", value_name = "MIB", default_value_t = 0)]
    min_ram: u32,
    /// A property, e.g. os_distro=debian
    #[arg(long, value_parser = pair, value_name = "KEY=VALUE")]
    property: Vec<(String, String)>,
}

/// What an image's file can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiskFormat {
    /// QEMU's own format.
    Qcow2,
    /// The bytes of the disk.
    Raw,
}

const COLUMNS: [Column; 6] = [
    Column::new("ID", |i| word(i, "id")),
    Column::new("Name", |i| word(i, "name")),
    Column::new("Status", |i| word(i, "status")),
    Column::new("Format", |i| word(i, "disk_format")),
    Column::new("Size", |i| size(&i["size"])),
    Column::new("Visibility", |i| word(i, "visibility")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => {
                let images = context
                    .session()?
                    .list(Service::Image, "/images", "images", None)?;
                context.output.list(&COLUMNS, &images)
            }
            Self::Show { image } => {
                let image = resolve::object(&context.session()?, IMAGE, &image)?;
                context.output.show(&fields(&image), &image)
            }
            Self::Create(create) => create.run(context),
            Self::Delete { images } => {
                let session = context.session()?;
                super::each(&images, |image| {
                    let id = resolve::id(&session, IMAGE, image)?;
                    session.delete(Service::Image, &IMAGE.path_of(&id))
                })
            }
        }
    }
}

impl Create {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let (mut file, length) = open(&self.file)?;
        let format = match self.disk_format {
            Some(format) => format,
            None => sniff(&mut file, &self.file)?,
        };
        let session = context.session()?;
        let image = session.post(Service::Image, "/images", &self.body(format))?;
        let id = plain(&image, "id").to_owned();
        let path = IMAGE.path_of(&id);
        at_interrupt(format!(
            "interrupted; `skybus image-delete {id}` removes what was begun"
        ))?;
        let mut body = Metered::new(file, length, &self.name);
        let sent = session.upload(&format!("{path}/file"), length, &mut body);
        body.done();
        if let Err(failure) = sent {
            // An image without its bytes is of no use to anybody.
            let _ = session.delete(Service::Image, &path);
            return Err(failure);
        }
        let image = session.get(Service::Image, &path)?;
        context.output.show(&fields(&image), &image)
    }

    fn body(&self, format: DiskFormat) -> Value {
        let format = match format {
            DiskFormat::Qcow2 => "qcow2",
            DiskFormat::Raw => "raw",
        };
        let mut body: BTreeMap<&str, Value> = self
            .property
            .iter()
            .map(|(k, v)| (k.as_str(), json!(v)))
            .collect();
        body.insert("name", json!(self.name));
        body.insert("disk_format", json!(format));
        body.insert("container_format", json!("bare"));
        body.insert(
            "visibility",
            json!(if self.public { "public" } else { "private" }),
        );
        body.insert("min_disk", json!(self.min_disk));
        body.insert("min_ram", json!(self.min_ram));
        json!(body)
    }
}

fn open(path: &Path) -> Result<(File, u64), Failure> {
    let cannot = || format!("cannot read the image {}", path.display());
    let file = File::open(path).map_err(Failure::local(cannot()))?;
    let about = file.metadata().map_err(Failure::local(cannot()))?;
    if !about.is_file() {
        return Err(Failure::usage(
            format!("{} is not a file", path.display()),
            "give --file a disk image (qcow2 or raw)",
        ));
    }
    if about.len() == 0 {
        return Err(Failure::usage(
            format!("{} is empty", path.display()),
            "give --file a disk image (qcow2 or raw)",
        ));
    }
    Ok((file, about.len()))
}

/// qcow2 files begin with `QFI` and 0xfb.
fn sniff(file: &mut File, path: &Path) -> Result<DiskFormat, Failure> {
    let mut head = Vec::new();
    file.by_ref()
        .take(4)
        .read_to_end(&mut head)
        .and_then(|_| file.seek(SeekFrom::Start(0)))
        .map_err(Failure::local(format!(
            "cannot read the image {}",
            path.display()
        )))?;
    Ok(if head == b"QFI\xfb" {
        DiskFormat::Qcow2
    } else {
        DiskFormat::Raw
    })
}

/// Says `line` when the user interrupts, and ends with the usual code.
pub(crate) fn at_interrupt(line: String) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        talk::say(&line);
        std::process::exit(130);
    })
    .map_err(|e| Failure::Nonsense(format!("Ctrl-C cannot be caught: {e}")))
}
