//! Users: list, make, show, change, remove, and their password.

use axum::{extract::State, response::Response};
use http::{Extensions, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use skybus_store::identity::{User, domains, projects, users};

use super::{fields, listing, login, projects as project_view};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path},
};

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    user: Wanted,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default, deserialize_with = "fields::given")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "fields::given")]
    email: Option<Option<String>>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    domain_id: Option<String>,
    #[serde(default, deserialize_with = "fields::given")]
    default_project_id: Option<Option<ProjectId>>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Wanted {
    /// Puts everything that was given, but the password, into the user.
    fn put_into(self, user: &mut User) -> Result<(), Error> {
        fields::domain("user.domain_id", self.domain_id.as_deref())?;
        if let Some(name) = self.name {
            user.name = fields::name("user.name", &name, fields::MOST_NAME)?;
        }
        if let Some(text) = self.description {
            user.description = text
                .map(|t| fields::text("user.description", t))
                .transpose()?;
        }
        if let Some(text) = self.email {
            user.email = text.map(|t| fields::text("user.email", t)).transpose()?;
        }
        if let Some(project) = self.default_project_id {
            user.default_project = project;
        }
        user.enabled = self.enabled.unwrap_or(user.enabled);
        Ok(())
    }
}

fn view(app: &App, user: &User) -> Value {
    let mut shown = json!({
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain,
        "enabled": user.enabled,
        "password_expires_at": null,
        "options": {},
        "links": { "self": app.public(&format!("/identity/v3/users/{}", user.id)) },
    });
    if let Some(text) = &user.description {
        shown["description"] = json!(text);
    }
    if let Some(text) = &user.email {
        shown["email"] = json!(text);
    }
    if let Some(project) = user.default_project {
        shown["default_project_id"] = json!(project);
    }
    shown
}

/// The user of this id; 404 without one.
pub(super) async fn load(app: &App, id: &str) -> Result<User, Error> {
    let missing = || Error::not_found("user", id);
    let known: UserId = id.parse().map_err(|_| missing())?;
    users::get(app.store.pool(), known)
        .await?
        .ok_or_else(missing)
}

/// Everyone sees themselves; others are for admins.
fn own(auth: &Auth, id: &str, what: &str) -> Result<(), Error> {
    if auth.is_admin() || id.parse::<UserId>().is_ok_and(|id| id == auth.user) {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "{what} of another user needs the role admin"
    )))
}

pub(super) async fn list(
    State(app): State<App>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let found = users::list(app.store.pool()).await?;
    let items = found.iter().map(|user| view(&app, user)).collect();
    listing::answer(&app, &page, &params, "users", items)
}

pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    own(&auth, &id, "identity:get_user")?;
    let user = load(&app, &id).await?;
    Ok(Json(json!({ "user": view(&app, &user) })))
}

pub(super) async fn list_projects(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    own(&auth, &id, "identity:list_user_projects")?;
    let user = load(&app, &id).await?;
    let found = projects::of_user(app.store.pool(), user.id).await?;
    project_view::answer(&app, &page, &params, found)
}

pub(super) async fn create(
    State(app): State<App>,
    once: Once,
    Json(Body { user: mut wanted }): Json<Body>,
) -> Result<Response, Error> {
    if wanted.name.is_none() {
        return Err(Error::bad_request("user.name is missing"));
    }
    let mut user = User {
        id: UserId::random(),
        domain: domains::DEFAULT.to_owned(),
        name: String::new(),
        description: None,
        email: None,
        password: None,
        enabled: true,
        default_project: None,
        tokens_after: Timestamp(0),
        created_at: Timestamp::now(),
    };
    let password = wanted.password.take();
    wanted.put_into(&mut user)?;
    if let Some(password) = password {
        let password = fields::password("user.password", password)?;
        user.password = Some(app.logins.hash(password).await?);
    }
    let mut tx = app.store.begin().await?;
    users::insert(&mut tx, &user).await?;
    let body = json!({ "user": view(&app, &user) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

pub(super) async fn update(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(Body { user: mut wanted }): Json<Body>,
) -> Result<Json<Value>, Error> {
    let known = load(&app, &id).await?.id;
    // Hashed before the transaction: it takes long, and the database has one writer.
    let hash = match wanted.password.take() {
        None => None,
        Some(password) => {
            let password = fields::password("user.password", password)?;
            Some(app.logins.hash(password).await?)
        }
    };
    let mut tx = app.store.begin().await?;
    let mut user = users::get(tx.conn(), known)
        .await?
        .ok_or_else(|| Error::not_found("user", &id))?;
    let was_enabled = user.enabled;
    wanted.put_into(&mut user)?;
    if hash.is_some() || (was_enabled && !user.enabled) {
        user.tokens_after = Timestamp::now();
    }
    user.password = hash.or(user.password);
    users::update(&mut tx, &user).await?;
    tx.commit().await?;
    Ok(Json(json!({ "user": view(&app, &user) })))
}

pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let user = load(&app, &id).await?;
    if user.id == auth.user {
        return Err(Error::forbidden("a user cannot delete itself"));
    }
    let mut tx = app.store.begin().await?;
    users::delete(&mut tx, user.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
pub(super) struct PasswordBody {
    user: Passwords,
}

#[derive(Deserialize)]
struct Passwords {
    password: String,
    original_password: String,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(…)")
    }
}

/// A user's own change of password; it ends all of their tokens.
pub(super) async fn change_password(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
    extensions: Extensions,
    Json(PasswordBody { user: wanted }): Json<PasswordBody>,
) -> Result<StatusCode, Error> {
    if id.parse::<UserId>().ok() != Some(auth.user) {
        let text = "only the user can change a password this way; an admin sets it by PATCH";
        return Err(Error::forbidden(text));
    }
    let before = load(&app, &id).await?;
    let password = fields::password("user.password", wanted.password)?;
    let hash = before.password.clone();
    let key = login::attempts_of(&login::peer(&extensions), &before.id.to_string());
    if !app
        .logins
        .check(&key, wanted.original_password, hash.clone())
        .await?
    {
        return Err(Error::unauthorized(
            "user.original_password is not the user's password",
        ));
    }
    let fresh = app.logins.hash(password).await?;
    let mut tx = app.store.begin().await?;
    let mut user = users::get(tx.conn(), before.id)
        .await?
        .ok_or_else(|| Error::not_found("user", &id))?;
    if user.password != hash {
        return Err(Error::conflict(
            "the password was changed by someone else meanwhile",
        ));
    }
    user.password = Some(fresh);
    user.tokens_after = Timestamp::now();
    users::update(&mut tx, &user).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
