//! The media types that a fresh database knows: those of the crate `mime_guess`, which follows IANA's
//! registry and the browsers.

use std::collections::BTreeMap;

/// Every known extension, with its dot, and the media type that it is served as.
pub fn default_mimetypes() -> BTreeMap<String, String> {
    mime_guess::get_extensions("*", "*")
        .unwrap_or_default()
        .iter()
        .filter_map(|extension| {
            let mimetype = mime_guess::from_ext(extension).first_raw()?;
            Some((format!(".{extension}"), mimetype.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_a_web_site_is_made_of() {
        let types = default_mimetypes();
        assert!(types.len() > 800, "{} types", types.len());
        for (extension, mimetype) in [
            (".html", "text/html"),
            (".css", "text/css"),
            (".js", "text/javascript"),
            (".json", "application/json"),
            (".svg", "image/svg+xml"),
            (".wasm", "application/wasm"),
            (".mp3", "audio/mpeg"),
        ] {
            assert_eq!(types.get(extension).map(String::as_str), Some(mimetype), "{extension}");
        }
    }
}
