//! Wishes and records for the tests of this crate.

use skybus_model::{
    host::Resources,
    id::{ImageId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    server::ImageSource,
};

use super::*;

/// A wish for some server, to be begun within the first second of 1970.
pub(in crate::agent) fn wish(generation: i64, desired: Desired) -> ServerEnsure {
    ServerEnsure {
        operation: Some(OperationId::random()),
        generation: Generation(generation),
        desired,
        restart: None,
        spec: ServerSpec {
            id: ServerId::random(),
            project: ProjectId::random(),
            user: UserId::random(),
            name: "vm".to_owned(),
            flavor: "tiny".to_owned(),
            resources: Resources::default(),
            image: ImageSource {
                id: ImageId::random(),
                format: DiskFormat::Raw,
                size: 1,
                sha512: String::new(),
                path: String::new(),
            },
            nics: Vec::new(),
            config_drive: None,
        },
        deadline: Timestamp(1_000_000),
    }
}

/// The record of a server that runs as wished.
pub(in crate::agent) fn running(generation: i64) -> Record {
    let mut record = Record::of(&wish(generation, Desired::Running));
    record.ended = Some(Ended {
        operation: None,
        fault: None,
        hops: Vec::new(),
    });
    record.built = true;
    record.power = Power::Running;
    record.life = "now".to_owned();
    record
}
