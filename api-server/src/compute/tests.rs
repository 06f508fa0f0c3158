//! The Compute API, tried through the whole router on both databases.

mod bad_input;
mod cloud;
mod first_use;
mod interfaces;
mod older;
mod operators;
mod owners;
mod servers;
mod shown;
mod tenants;

/// Each function runs once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            use crate::{compute::tests::cloud::Cloud, testing::TestApp};

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(&Cloud::on(TestApp::sqlite().await).await).await;
            }
            #[tokio::test]
            async fn on_postgresql() {
                super::$name(&Cloud::on(TestApp::postgres().await).await).await;
            }
        }
    )*};
}
use on_both;
