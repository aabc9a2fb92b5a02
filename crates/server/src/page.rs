//! What is served as it stands: the built-in page and the description of the paths.

use axum::http::header;
use axum::response::IntoResponse;

/// One file, without anything from elsewhere.
const PAGE: &str = include_str!("page.html");
const OPENAPI: &str = include_str!("openapi.json");

/// The built-in page. To `HEAD`, a sign that somebody is there.
pub(crate) async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                  connect-src 'self'; img-src data:; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, PAGE)
}

/// The `OpenAPI` description.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::routes::table;

    #[test]
    fn the_description_has_the_paths_of_the_router() {
        let description: Value = serde_json::from_str(OPENAPI).expect("it is JSON");
        let methods = |item: &Value| -> BTreeSet<String> {
            let keys = item.as_object().expect("a path item").keys();
            keys.filter(|key| *key != "parameters").cloned().collect()
        };
        let paths = description["paths"].as_object().expect("paths");
        let described: BTreeSet<_> =
            paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect();
        let routed: BTreeSet<(String, BTreeSet<String>)> = table()
            .into_iter()
            .map(|(path, methods, _)| {
                (path.to_owned(), methods.iter().map(|&method| method.to_owned()).collect())
            })
            .collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn the_page_takes_nothing_from_elsewhere() {
        for foreign in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }
}
