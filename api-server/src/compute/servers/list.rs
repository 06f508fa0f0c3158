//! `GET /servers` and `GET /servers/detail`: newest first unless asked otherwise, in pages.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use skybus_model::{Timestamp, id::ServerId};
use skybus_store::{
    compute::listing::{self, After, Brief},
    servers::{self, Server},
};

use super::{
    beside,
    query::Query,
    view::{self, Beside, BesideAll, Lens},
};
use crate::{
    app::App,
    http::{
        Auth, Error, Json, Microversion, Page, Params, Way,
        page::{Cut, MOST},
    },
};

/// Servers per batch.
const BATCH: usize = 500;
/// What a list can be sorted by.
const SORT_KEYS: &[&str] = &[
    "created_at",
    "updated_at",
    "launched_at",
    "terminated_at",
    "display_name",
    "name",
    "uuid",
    "id",
    "vm_state",
    "task_state",
    "power_state",
    "host",
    "node",
    "project_id",
    "user_id",
    "key_name",
    "image_ref",
    "instance_type_id",
    "hostname",
    "display_description",
    "availability_zone",
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "config_drive",
    "kernel_id",
    "launch_index",
    "locked",
    "progress",
    "ramdisk_id",
    "root_device_name",
];

/// The short list.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    let lens = Lens::new(&app, &auth, version);
    let asked = Asked::read(&auth, &lens, &page, &params)?;
    let cut = if asked.is_plain() {
        names(&app, &asked).await?
    } else {
        let (cut, _) = find(&app, &lens, &asked).await?;
        cut.map(|server| Brief {
            id: server.id,
            name: server.name,
            created_at: server.created_at,
        })
    };
    let shown: Vec<_> = cut
        .items
        .iter()
        .map(|server| view::brief(&lens, server.id, &server.name))
        .collect();
    Ok(answer(&lens, &page, &cut, shown))
}

/// The full list.
pub(crate) async fn detail(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    let lens = Lens::new(&app, &auth, version);
    let asked = Asked::read(&auth, &lens, &page, &params)?;
    let (cut, known) = find(&app, &lens, &asked).await?;
    let all = match known {
        Some(known) => known,
        None => beside::of(&app, &lens, &cut.items).await?,
    };
    let nothing = Beside::default();
    let shown: Vec<_> = cut
        .items
        .iter()
        .map(|server| view::full(&lens, server, all.get(&server.id).unwrap_or(&nothing)))
        .collect();
    Ok(answer(&lens, &page, &cut, shown))
}

/// The body of a list.
#[derive(Serialize)]
struct List<T> {
    servers: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers_links: Option<Value>,
}

fn answer<T>(lens: &Lens, page: &Page, cut: &Cut<T>, shown: Vec<impl Serialize>) -> Response {
    Json(List {
        servers: shown,
        servers_links: page.links(&lens.base, cut),
    })
    .into_response()
}

/// What was asked for.
struct Asked {
    query: Query,
    page: Page,
    /// Whether it is the order in which the database keeps them.
    in_order: bool,
}

impl Asked {
    fn read(auth: &Auth, lens: &Lens, page: &Page, params: &Params) -> Result<Self, Error> {
        let query = Query::read(params, auth, lens.version)?;
        let page = page
            .clone()
            .sorted_by(SORT_KEYS, ("created_at", Way::Down))?;
        let newest_first = page
            .sort
            .first()
            .is_some_and(|by| *by == ("created_at".into(), Way::Down));
        let in_order = newest_first && page.sort.len() == 1;
        Ok(Self {
            query,
            page,
            in_order,
        })
    }

    /// Whether the database alone can answer it.
    const fn is_plain(&self) -> bool {
        self.in_order && !self.query.is_empty() && !self.query.decides()
    }

    async fn after(&self, app: &App) -> Result<Option<After>, Error> {
        match (&self.page.marker, self.in_order) {
            (Some(marker), true) => Ok(Some(marked(app, &self.query, marker).await?)),
            _ => Ok(None),
        }
    }
}

/// One page of names.
async fn names(app: &App, asked: &Asked) -> Result<Cut<Brief>, Error> {
    let after = asked.after(app).await?;
    let most = i64::try_from(asked.page.limit + 1).unwrap_or(i64::MAX);
    let found = listing::brief(&app.store, &asked.query.wanted, after, most).await?;
    Ok(first_page(&asked.page, found, |server| server.id))
}

/// The servers of one page, and what stands beside them if that was needed to find them.
async fn find(
    app: &App,
    lens: &Lens,
    asked: &Asked,
) -> Result<(Cut<Server>, Option<BesideAll>), Error> {
    let Asked {
        query,
        page,
        in_order,
    } = asked;
    if query.is_empty() {
        return Ok((first_page(page, Vec::new(), |server| server.id), None));
    }
    let most = if *in_order {
        page.limit + 1
    } else {
        usize::MAX
    };
    let after = asked.after(app).await?;
    let (found, known) = collect(app, lens, query, after, most).await?;
    let cut = if *in_order {
        first_page(page, found, |server| server.id)
    } else {
        page.cut(found, |server| server.id.to_string(), sort_value)?
    };
    Ok((cut, known))
}

/// The page that `found` begins with; one more than fits says that there is another.
fn first_page<T>(page: &Page, mut found: Vec<T>, id: impl Fn(&T) -> ServerId) -> Cut<T> {
    let more = found.len() > page.limit;
    found.truncate(page.limit.min(MOST));
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| id(last).to_string());
    Cut {
        items: found,
        next,
        previous: None,
    }
}

/// Where the page begins: after the server with the marker's id.
async fn marked(app: &App, query: &Query, marker: &str) -> Result<After, Error> {
    let unknown = || Error::bad_request(format!("marker [{marker}] not found"));
    let id: ServerId = marker.parse().map_err(|_| unknown())?;
    let server = servers::get(&app.store, id).await.map_err(|_| unknown())?;
    if query
        .wanted
        .project
        .is_some_and(|project| project != server.project)
    {
        return Err(unknown());
    }
    Ok((server.created_at, server.id))
}

async fn collect(
    app: &App,
    lens: &Lens,
    query: &Query,
    mut after: Option<After>,
    most: usize,
) -> Result<(Vec<Server>, Option<BesideAll>), Error> {
    let mut found = Vec::new();
    let mut known = query.needs_beside().then(BesideAll::new);
    let nothing = Beside::default();
    // Where the database alone decides, it is asked for no more than is shown.
    let size = if query.decides() {
        BATCH
    } else {
        BATCH.min(most)
    };
    let asked = i64::try_from(size).unwrap_or(i64::MAX);
    loop {
        let batch = listing::batch(&app.store, &query.wanted, after, asked).await?;
        let Some(last) = batch.last() else { break };
        after = Some((last.created_at, last.id));
        let full = batch.len() == size;
        if let Some(known) = &mut known {
            known.extend(beside::of(app, lens, &batch).await?);
        }
        for server in batch {
            let beside = known.as_ref().and_then(|known| known.get(&server.id));
            if query.fits(&server, beside.unwrap_or(&nothing)) {
                found.push(server);
            }
        }
        if !full || found.len() >= most {
            break;
        }
    }
    found.truncate(most);
    Ok((found, known))
}

fn sort_value(server: &Server, key: &str) -> Value {
    match key {
        "created_at" => json!(server.created_at),
        "updated_at" => json!(server.updated_at),
        "launched_at" => json!(server.launched_at),
        "terminated_at" => json!(server.deleted_at.map(Timestamp::micros)),
        "display_name" | "name" => json!(server.name),
        "uuid" | "id" => json!(server.id),
        "vm_state" => json!(server.state.vm.as_str()),
        "task_state" => json!(server.state.task.map(|task| task.as_str())),
        "power_state" => json!(server.power.nova_number()),
        "host" | "node" => json!(server.host),
        "project_id" => json!(server.project),
        "user_id" => json!(server.owner),
        "key_name" => json!(server.key_name),
        "image_ref" => json!(server.image),
        "instance_type_id" => json!(server.flavor.id),
        "hostname" => json!(server.hostname),
        "display_description" => json!(server.description),
        "availability_zone" => json!(server.zone),
        // The rest is the same for every server here.
        _ => Value::Null,
    }
}
