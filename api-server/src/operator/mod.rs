//! The operator's own API, `/skybus/v1`: what happened to a server, the events, dead letters and
//! subscribers of the bus, the state of the whole, what does not fit, the machines, and networks cut from a range.

mod audit;
mod bus;
pub mod events;
pub mod hosts;
mod networks;
mod status;
#[cfg(test)]
mod tests;
mod trace;

use crate::http::{Action, Routes};

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    let routes = hosts::routes(routes);
    let (dead, one) = ("/skybus/v1/bus/dead", "/skybus/v1/bus/dead/{id}");
    let (subscribers, subscriber) = (
        "/skybus/v1/bus/subscribers",
        "/skybus/v1/bus/subscribers/{name}",
    );
    routes
        .get(
            "/skybus/v1/servers/{id}/trace",
            Action::ServerTrace,
            trace::trace,
        )
        .get("/skybus/v1/events", Action::EventsRead, events::events)
        .get("/skybus/v1/status", Action::Operate, status::status)
        .post_once("/skybus/v1/networks", Action::Operate, networks::create)
        .get("/skybus/v1/audit", Action::Operate, audit::list)
        .post("/skybus/v1/audit", Action::Operate, audit::mend)
        .get(dead, Action::Operate, bus::list)
        .get(one, Action::Operate, bus::show)
        .delete(one, Action::Operate, bus::drop_letter)
        .post(
            "/skybus/v1/bus/dead/{id}/replay",
            Action::Operate,
            bus::replay,
        )
        .get(subscribers, Action::Operate, bus::subscribers)
        .post(subscribers, Action::Operate, bus::subscribe)
        .delete(subscriber, Action::Operate, bus::unsubscribe)
}
