//! Keypairs: a user's public keys, imported or (before 2.92) generated. A generated private key is in the
//! answer and nowhere else.

pub(super) mod public_key;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::{Timestamp, id::UserId};
use skybus_store::{
    Error as StoreError,
    compute::{
        keypairs::{self, Keypair},
        quotas::{self, Resource},
    },
};
use ssh_key::{Algorithm, LineEnding, PrivateKey, rand_core::OsRng};

use super::{
    fields::{Fields, Invalid},
    servers::{Lens, create::over_quota},
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Microversion, Once, Page, Params, Path, Way},
};

/// A user's keypairs.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    let owner = owner(&auth, version, params.one("user_id"))?;
    let all = keypairs::list(&app.store, owner).await?;
    let page = page.sorted_by(&["name"], ("name", Way::Up))?;
    let lens = Lens::new(&app, &auth, version);
    let mut body = Map::new();
    let wrapped = |all: &[Keypair]| -> Value {
        all.iter()
            .map(|keypair| json!({ "keypair": brief(keypair, version) }))
            .collect()
    };
    // Pages came with 2.35; before, the list is whole.
    if version.since(35) {
        let cut = page.cut(all, |keypair| keypair.name.clone(), |k, _| json!(k.name))?;
        body.insert("keypairs".to_owned(), wrapped(&cut.items));
        if let Some(links) = page.links(&lens.base, &cut) {
            body.insert("keypairs_links".to_owned(), links);
        }
    } else {
        body.insert("keypairs".to_owned(), wrapped(&all));
    }
    Ok(Json(body).into_response())
}

/// One keypair.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    params: Params,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let owner = owner(&auth, version, params.one("user_id"))?;
    let keypair = keypairs::find(&app.store, owner, &name)
        .await
        .map_err(|e| missing(e, &name))?;
    let mut shown = brief(&keypair, version);
    shown["user_id"] = json!(keypair.owner);
    shown["id"] = json!(keypair.created_at.micros() & 0x7fff_ffff);
    shown["created_at"] = json!(keypair.created_at.iso_micros());
    shown["updated_at"] = Value::Null;
    shown["deleted_at"] = Value::Null;
    shown["deleted"] = json!(false);
    Ok(Json(json!({ "keypair": shown })).into_response())
}

/// Takes a public key, or makes a pair.
pub(crate) async fn create(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let wish = read(&body, version)?;
    let owner = owner(&auth, version, wish.user.as_deref())?;
    let (line, private) = match wish.public_key {
        Some(line) => (line, None),
        None => generate()?,
    };
    let fingerprint =
        public_key::fingerprint(&line).map_err(|why| Invalid::new("keypair.public_key", why))?;
    let keypair = Keypair {
        owner,
        name: wish.name,
        kind: "ssh".to_owned(),
        fingerprint,
        public_key: line,
        created_at: Timestamp::now(),
    };
    let mut tx = app.store.begin().await?;
    keypairs::insert(&mut tx, &keypair).await?;
    let limit = quotas::limit(&mut tx, auth.project()?, Resource::KeyPairs).await?;
    // The limit is a user's, not a project's: the use is counted under the user's id.
    let taken = quotas::take(&mut tx, &owner.to_string(), Resource::KeyPairs, 1, limit).await?;
    taken.map_err(|over| over_quota(&over))?;
    let mut shown = brief(&keypair, version);
    shown["user_id"] = json!(owner);
    if let Some(private) = private {
        shown["private_key"] = json!(private);
    }
    let status = if version.since(2) {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let response = once
        .record(&mut tx, status, None, &json!({ "keypair": shown }))
        .await?;
    tx.commit().await?;
    Ok(response)
}

/// Removes a keypair.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    params: Params,
    Path(name): Path<String>,
) -> Result<StatusCode, Error> {
    let owner = owner(&auth, version, params.one("user_id"))?;
    let mut tx = app.store.begin().await?;
    keypairs::delete(&mut tx, owner, &name)
        .await
        .map_err(|e| missing(e, &name))?;
    quotas::give_back(&mut tx, &owner.to_string(), Resource::KeyPairs, 1).await?;
    tx.commit().await?;
    Ok(if version.since(2) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::ACCEPTED
    })
}

#[derive(Debug)]
struct Wish {
    name: String,
    public_key: Option<String>,
    user: Option<String>,
}

fn read(body: &Value, version: Microversion) -> Result<Wish, Invalid> {
    let fields = Fields::of(body, "keypair")?;
    let known: &[&str] = match version.0 {
        0..2 => &["name", "public_key"],
        2..10 => &["name", "public_key", "type"],
        _ => &["name", "public_key", "type", "user_id"],
    };
    fields.only(known)?;
    let name = fields.required_text("name", 1..=255)?;
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '@' | '+');
    if name.trim() != name || !name.chars().all(fits) {
        return Err(Invalid::new(
            "keypair.name",
            "a name may have letters, digits, blanks, '-', '_', '.', '@' and '+', and no blank at its \
             ends",
        ));
    }
    if fields.word("type", &["ssh", "x509"])? == Some("x509") {
        return Err(Invalid::new(
            "keypair.type",
            "x509 is not built yet; use ssh",
        ));
    }
    let public_key = fields.text("public_key", 1..=16_384)?;
    if public_key.is_none() && version.since(92) {
        return Err(Invalid::new(
            "keypair.public_key",
            "it is required since microversion 2.92: make a pair with ssh-keygen and give its public \
             half",
        ));
    }
    Ok(Wish {
        name: name.to_owned(),
        public_key: public_key.map(|line| line.trim().to_owned()),
        user: fields.text("user_id", 1..=64)?.map(str::to_owned),
    })
}

/// Whose keypairs: one's own, or since 2.10 another user's for administrators.
fn owner(auth: &Auth, version: Microversion, asked: Option<&str>) -> Result<UserId, Error> {
    let Some(asked) = asked.filter(|_| version.since(10)) else {
        return Ok(auth.user);
    };
    let user: UserId = asked
        .parse()
        .map_err(|e| Invalid::new("user_id", format!("{e}")))?;
    if user == auth.user || auth.is_admin() {
        Ok(user)
    } else {
        Err(Error::forbidden(
            "keypairs of another user are for the role admin",
        ))
    }
}

fn generate() -> Result<(String, Option<String>), Error> {
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(Error::internal)?;
    key.set_comment("generated by skybus");
    let public = key.public_key().to_openssh().map_err(Error::internal)?;
    let private = key.to_openssh(LineEnding::LF).map_err(Error::internal)?;
    Ok((public, Some(private.to_string())))
}

fn brief(keypair: &Keypair, version: Microversion) -> Value {
    let mut shown = json!({
        "name": keypair.name,
        "fingerprint": keypair.fingerprint,
        "public_key": keypair.public_key,
    });
    if version.since(2) {
        shown["type"] = json!(keypair.kind);
    }
    shown
}

fn missing(error: StoreError, name: &str) -> Error {
    match error {
        StoreError::NotFound(_) => Error::not_found("keypair", name),
        other => other.into(),
    }
}
