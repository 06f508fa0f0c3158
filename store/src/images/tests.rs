//! The image tables on both engines: who sees what, and how bytes arrive.

use skybus_model::{
    Timestamp,
    id::{ImageId, ProjectId},
    image::{DiskFormat, ImageStatus, Visibility},
};

use super::{
    Image, NewImage, Scope, create, delete, find, get, list, members, update,
    upload::{self, Arrived},
};
use crate::{Error, Store, Tx, networks::on_both};

on_both! {
    an_image_is_kept_as_its_owner_describes_it
    who_sees_an_image_is_its_visibility
    bytes_arrive_once_and_only_while_they_are_wanted
    an_upload_whose_process_died_is_given_up
    a_deleted_image_is_gone_and_its_id_is_not_used_again
}

async fn an_image(tx: &mut Tx, project: ProjectId, visibility: Visibility) -> Image {
    let mut described = Image::blank(project);
    described.visibility = visibility;
    create(
        tx,
        NewImage {
            id: None,
            described,
        },
    )
    .await
    .unwrap()
}

fn arrived() -> Arrived {
    Arrived {
        size: 3,
        virtual_size: 512,
        md5: "m".into(),
        sha512: "s".into(),
    }
}

async fn an_image_is_kept_as_its_owner_describes_it(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let mut described = Image::blank(ProjectId::random());
    described.name = Some("debian".into());
    described.disk_format = Some(DiskFormat::Qcow2);
    described.tags = vec!["a".into(), "b".into()];
    described
        .properties
        .insert("os_distro".into(), "debian".into());
    let id = ImageId::random();
    let new = NewImage {
        id: Some(id),
        described: described.clone(),
    };
    let made = create(&mut tx, new.clone()).await.unwrap();
    assert_eq!((made.id, made.status), (id, ImageStatus::Queued));
    assert_eq!(
        (&made.tags, &made.properties),
        (&described.tags, &described.properties)
    );
    assert!(matches!(
        create(&mut tx, new).await,
        Err(Error::Conflict(_))
    ));
    let mut changed = made;
    changed.name = None;
    changed.protected = true;
    changed.properties.clear();
    let kept = update(&mut tx, &changed).await.unwrap();
    assert_eq!(
        Image {
            updated_at: changed.updated_at,
            ..kept
        },
        changed
    );
}

async fn who_sees_an_image_is_its_visibility(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (mine, theirs) = (ProjectId::random(), Scope::Project(ProjectId::random()));
    let Scope::Project(other) = theirs else {
        unreachable!()
    };
    let private = an_image(&mut tx, mine, Visibility::Private).await;
    let public = an_image(&mut tx, mine, Visibility::Public).await;
    let community = an_image(&mut tx, mine, Visibility::Community).await;
    let shared = an_image(&mut tx, mine, Visibility::Shared).await;
    members::add(&mut tx, shared.id, other).await.unwrap();
    assert!(matches!(
        members::add(&mut tx, shared.id, other).await,
        Err(Error::Conflict(_))
    ));
    tx.commit().await.unwrap();
    let db = store.pool();
    for (image, seen) in [
        (&private, false),
        (&public, true),
        (&community, true),
        (&shared, true),
    ] {
        assert_eq!(
            get(db, image.id, theirs).await.is_ok(),
            seen,
            "{}",
            image.visibility
        );
        assert!(get(db, image.id, Scope::Project(mine)).await.is_ok());
    }
    let ids = |images: Vec<Image>| images.iter().map(|image| image.id).collect::<Vec<_>>();
    assert_eq!(
        ids(list(db, theirs, None, "accepted").await.unwrap()),
        [public.id]
    );
    let asked = list(db, theirs, Some(Visibility::Community), "accepted")
        .await
        .unwrap();
    assert_eq!(ids(asked), [community.id]);
    assert_eq!(
        ids(list(db, theirs, None, "pending").await.unwrap()),
        [public.id, shared.id]
    );
    let mut tx = store.begin().await.unwrap();
    members::answer(&mut tx, shared.id, other, "accepted")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        ids(list(db, theirs, None, "accepted").await.unwrap()),
        [public.id, shared.id]
    );
    assert_eq!(
        list(db, Scope::Project(mine), None, "accepted")
            .await
            .unwrap()
            .len(),
        4
    );
    assert_eq!(
        list(db, Scope::Everything, None, "accepted")
            .await
            .unwrap()
            .len(),
        4
    );
    let mut tx = store.begin().await.unwrap();
    members::remove(&mut tx, shared.id, other).await.unwrap();
    assert!(
        members::list(tx.conn(), shared.id)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(matches!(
        members::remove(&mut tx, shared.id, other).await,
        Err(Error::NotFound(_))
    ));
}

async fn bytes_arrive_once_and_only_while_they_are_wanted(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let image = an_image(&mut tx, ProjectId::random(), Visibility::Private).await;
    upload::begin(&mut tx, image.id, "one").await.unwrap();
    assert!(matches!(
        upload::begin(&mut tx, image.id, "two").await,
        Err(Error::Conflict(_))
    ));
    assert!(
        !upload::finish(&mut tx, image.id, "two", &arrived())
            .await
            .unwrap()
    );
    assert!(find::has_bytes(tx.conn(), image.id).await.unwrap());
    upload::give_up(&mut tx, image.id, "one").await.unwrap();
    assert!(!find::has_bytes(tx.conn(), image.id).await.unwrap());
    upload::begin(&mut tx, image.id, "three").await.unwrap();
    assert!(upload::beat(&mut tx, image.id, "three").await.unwrap());
    assert!(
        upload::finish(&mut tx, image.id, "three", &arrived())
            .await
            .unwrap()
    );
    let image = get(tx.conn(), image.id, Scope::Everything).await.unwrap();
    assert_eq!((image.status, image.size), (ImageStatus::Active, Some(3)));
    assert!(matches!(
        upload::begin(&mut tx, image.id, "four").await,
        Err(Error::Conflict(_))
    ));
}

async fn an_upload_whose_process_died_is_given_up(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let image = an_image(&mut tx, ProjectId::random(), Visibility::Private).await;
    upload::begin(&mut tx, image.id, "dead").await.unwrap();
    let now = Timestamp::now();
    assert_eq!(
        upload::give_up_dead(&mut tx, Timestamp(now.micros() - 60_000_000))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        upload::give_up_dead(&mut tx, Timestamp(now.micros() + 1))
            .await
            .unwrap(),
        1
    );
    assert!(!upload::beat(&mut tx, image.id, "dead").await.unwrap());
    let image = get(tx.conn(), image.id, Scope::Everything).await.unwrap();
    assert_eq!(image.status, ImageStatus::Queued);
}

async fn a_deleted_image_is_gone_and_its_id_is_not_used_again(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let image = an_image(&mut tx, ProjectId::random(), Visibility::Public).await;
    upload::begin(&mut tx, image.id, "late").await.unwrap();
    delete(&mut tx, image.id).await.unwrap();
    assert!(matches!(
        delete(&mut tx, image.id).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        update(&mut tx, &image).await,
        Err(Error::NotFound(_))
    ));
    assert!(
        !upload::finish(&mut tx, image.id, "late", &arrived())
            .await
            .unwrap()
    );
    assert!(matches!(
        get(tx.conn(), image.id, Scope::Everything).await,
        Err(Error::NotFound(_))
    ));
    let again = NewImage {
        id: Some(image.id),
        described: image,
    };
    assert!(matches!(
        create(&mut tx, again).await,
        Err(Error::Conflict(_))
    ));
}
