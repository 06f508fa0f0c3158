//! What belongs to another project does not exist: for every route of every API that names something.
//!
//! The cases are made from the route tables. [`holes`] says what of a project's own a path can name, with
//! the body that its owner would send; [`things`] makes one of everything. A member of another project who
//! asks the same is answered with 404 or 403, and nothing has changed; the owner is not, so that no case can
//! pass by a wrong path. [`named`] does the same for bodies and queries. A route whose path has a hole that
//! nobody knows fails here.

mod holes;
mod named;
mod things;

use holes::{Case, case};
use things::Things;

use crate::{
    http::{Rule, route::Route},
    testing::TestApp,
};

#[tokio::test]
async fn nobody_reaches_what_another_project_has_by_any_route() {
    let test = TestApp::sqlite().await;
    let things = Things::prepared(&test).await;
    let mut tried = 0;
    let with_holes = |route: &&Route| route.path.contains('{');
    let routes: Vec<Route> = test.table.iter().filter(with_holes).cloned().collect();
    for route in routes {
        match (route.action.rule(), case(&route)) {
            // Signed addresses of hosts and guests: who has no signature is nobody, whatever the project.
            (Rule::Anyone, _) => {}
            (Rule::Admin, _) => {
                let path = holes::of_nobody(&route);
                let answer = test
                    .ask(&things.eve, route.method.clone(), &path, things::nothing())
                    .await;
                assert_eq!(answer.status, 403, "{} {path}", route.method);
            }
            (_, Case::Owned(request)) => {
                refused(&test, &things, &route, &request).await;
                tried += 1;
            }
            (_, Case::Everyones(path)) => {
                let answer = test
                    .ask(&things.eve, route.method.clone(), path, things::nothing())
                    .await;
                things.are_not_in(&answer, path);
            }
            (_, Case::NotBuilt) => {
                let path = holes::of_nobody(&route);
                let ask = async |token: &str| {
                    let method = route.method.clone();
                    test.ask(token, method, &path, things::nothing()).await
                };
                let (stranger, owner) = (ask(&things.eve).await, ask(&things.demo).await);
                let told = format!("{} {path}", route.method);
                assert!(
                    stranger.status.is_client_error(),
                    "{told}: {}",
                    stranger.status
                );
                assert_eq!(stranger.status, owner.status, "{told}");
            }
            (_, Case::Unknown) => panic!(
                "{} {}{} names something that no test of tenants knows: say in {}/holes.rs whose it is",
                route.method,
                route.api.prefix(),
                route.path,
                module_path!().replace("::", "/"),
            ),
        }
    }
    assert!(tried > 60, "only {tried} routes were tried");
}

/// The stranger is refused and changes nothing; the owner is not refused.
async fn refused(test: &TestApp, things: &Things, route: &Route, request: &holes::Request) {
    let owned = things.fresh(test).await;
    let path = request.path(&owned);
    let told = format!("{} {path}", route.method);
    let ask = async |token: &str| test.send(request.signed(token, &owned)).await;
    let before = things::rows(test).await;
    let answer = ask(&things.eve).await;
    assert!(
        [403, 404].contains(&answer.status.as_u16()),
        "{told} is answered to a stranger with {}: {}",
        answer.status,
        answer.body
    );
    things.are_not_in(&answer, &path);
    let after = things::rows(test).await;
    assert_eq!(before, after, "{told} by a stranger changed something");
    let answer = ask(request.owner(things)).await;
    // 401 is for a wrong old password alone: a token that is no good would have made nothing before.
    let reached = ![403, 404, 405].contains(&answer.status.as_u16());
    assert!(
        reached,
        "{told} is answered to its owner with {}: {}",
        answer.status, answer.body
    );
}
