//! The Image API, version 2, and the bytes of the images.
//!
//! [`describe`] is what an owner says of an image, [`patch`] how that changes; [`upload`] is how bytes
//! arrive, checked against [`content`] and kept by [`files`]; [`download`] how they leave again, to
//! clients and by signed address to hosts. [`sweep`] undoes what a dead process left half done.
//! Disk formats are `raw` and `qcow2`; nothing is converted.

mod content;
mod create;
mod describe;
mod download;
mod files;
mod filters;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod list;
mod members;
mod patch;
mod probes;
mod schemas;
mod show;
pub mod sweep;
mod tags;
#[cfg(test)]
mod tests;
mod upload;
mod view;

use crate::http::{Action, Routes};

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    routes
        .get("/images", Action::ImagesRead, list::list)
        .post_once("/images", Action::ImagesWrite, create::create)
        .get("/images/{id}", Action::ImagesRead, show::show)
        .patch("/images/{id}", Action::ImagesWrite, patch::patch)
        .delete("/images/{id}", Action::ImagesWrite, show::delete)
        .put("/images/{id}/file", Action::ImagesWrite, upload::upload)
        .get(
            "/images/{id}/file",
            Action::ImagesDownload,
            download::download,
        )
        .put("/images/{id}/tags/{tag}", Action::ImagesWrite, tags::add)
        .delete("/images/{id}/tags/{tag}", Action::ImagesWrite, tags::remove)
        .get("/images/{id}/members", Action::ImagesRead, members::list)
        .post("/images/{id}/members", Action::ImagesWrite, members::add)
        .get(
            "/images/{id}/members/{member}",
            Action::ImagesRead,
            members::show,
        )
        .put(
            "/images/{id}/members/{member}",
            Action::ImagesWrite,
            members::answer,
        )
        .delete(
            "/images/{id}/members/{member}",
            Action::ImagesWrite,
            members::remove,
        )
        .get("/schemas/{name}", Action::ImageSchemas, schemas::show)
        .get("/info/import", Action::ImagesRead, probes::import)
        .get("/info/stores", Action::ImagesRead, probes::stores)
        .post(
            "/images/{id}/import",
            Action::ImagesWrite,
            probes::no_import,
        )
        .put("/images/{id}/stage", Action::ImagesWrite, probes::no_import)
        .get("/tasks", Action::ImagesRead, probes::no_tasks)
        .get(
            "/metadefs/namespaces",
            Action::ImagesRead,
            probes::no_metadefs,
        )
}

/// What it serves to hosts, by signed address.
pub fn internal(routes: Routes) -> Routes {
    routes.get("/internal/images/{id}", Action::Signed, download::signed)
}
