//! Style sheet, scripts and icon: part of the executable, nothing from elsewhere.

use axum::{
    extract::Path,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse as _, Response},
};

/// Name, media type and bytes of each. Those below `vendor` are htmx 4.0.1 as published (npm `htmx.org`, BSD-0-Clause).
const ASSETS: [(&str, &str, &[u8]); 5] = [
    ("console.css", "text/css; charset=utf-8", include_bytes!("../assets/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_bytes!("../assets/console.js")),
    ("htmx.min.js", "text/javascript; charset=utf-8", include_bytes!("../assets/vendor/htmx.min.js")),
    ("hx-sse.min.js", "text/javascript; charset=utf-8", include_bytes!("../assets/vendor/hx-sse.min.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
];

/// They change with the version of the program only.
const TAG: HeaderValue = HeaderValue::from_static(concat!("\"", env!("CARGO_PKG_VERSION"), "\""));

/// One of them.
pub(crate) async fn get(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, media_type, bytes)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let told = [
        (ETAG, TAG),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
    ];
    if headers.get(IF_NONE_MATCH) == Some(&TAG) {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    (told, *bytes).into_response()
}
