//! `rest:` locations: `rest:https://user:password@host:port/path/` (restic `internal/backend/rest/config.go`).

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use super::LocationError;

/// A repository on a REST server.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::backend) struct RestPlace {
    /// Without user and password, with a slash at the end.
    pub(in crate::backend) url: String,
    /// What the location itself says of who asks.
    pub(in crate::backend) login: Option<Login>,
}

/// A user and a password. It has no `Debug`: it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::backend) struct Login {
    pub(in crate::backend) user: String,
    pub(in crate::backend) password: Zeroizing<String>,
}

impl RestPlace {
    /// Reads what follows `rest:`; the slash at the end may be missing.
    pub(super) fn parse(text: &str) -> Result<RestPlace, LocationError> {
        if text.is_empty() {
            return Err(error("no URL"));
        }
        let mut url = Url::parse(text).map_err(|_| error("the URL cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(error("the URL begins neither with http:// nor with https://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(error("\"?\" or \"#\" in the URL (written %3F and %23)"));
        }
        let login = login(&url)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        // These two fail only where a URL has no host, and these schemes have one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(RestPlace { url: url.into(), login })
    }
}

fn login(url: &Url) -> Result<Option<Login>, LocationError> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(String::from).map_err(|_| error("user or password are not UTF-8"))
    };
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let user = decode(url.username())?;
    let password = Zeroizing::new(decode(url.password().unwrap_or_default())?);
    Ok(Some(Login { user, password }))
}

fn error(problem: &'static str) -> LocationError {
    LocationError::Rest { problem }
}

/// As restic prints it: the user, and stars where a password was given.
impl fmt::Display for RestPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Url::parse(&self.url).map_err(|_| fmt::Error)?;
        let rest = url.as_str().trim_start_matches(url.scheme()).trim_start_matches("://");
        write!(f, "rest:{}://", url.scheme())?;
        if let Some(login) = &self.login {
            let user = percent_encoding::utf8_percent_encode(&login.user, percent_encoding::NON_ALPHANUMERIC);
            write!(f, "{user}{}@", if login.password.is_empty() { "" } else { ":***" })?;
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for RestPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RestPlace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> RestPlace {
        RestPlace::parse(text).expect(text)
    }

    #[test]
    fn a_slash_at_the_end_is_ours_to_write() {
        for (text, url) in [
            ("http://h:8000", "http://h:8000/"),
            ("https://h/repo", "https://h/repo/"),
            ("https://h/a/repo/", "https://h/a/repo/"),
            ("http://[::1]:8000/a%20b", "http://[::1]:8000/a%20b/"),
        ] {
            assert_eq!(place(text).url, url);
            assert_eq!(place(text).to_string(), format!("rest:{url}"));
        }
    }

    #[test]
    fn user_and_password_are_read_and_the_password_is_never_printed() {
        let place = place("https://anna:ge%40heim@h/repo/");
        let login = place.login.as_ref().expect("a login");
        assert_eq!((login.user.as_str(), login.password.as_str()), ("anna", "ge@heim"));
        assert_eq!(place.url, "https://h/repo/");
        assert_eq!(place.to_string(), "rest:https://anna:***@h/repo/");
        assert!(!format!("{place:?}").contains("heim"));
    }

    #[test]
    fn what_is_no_location_is_said_without_its_text() {
        for (text, problem) in [
            ("", "no URL"),
            ("host/repo", "cannot be read"),
            ("geheim:8000/repo", "neither"),
            ("ftp://geheim@h/", "neither"),
            ("https://anna:geheim@h:port/", "cannot be read"),
            ("https://anna:geheim@h/?x", "\"?\""),
            ("https://anna:%ff@h/", "UTF-8"),
        ] {
            let error = RestPlace::parse(text).expect_err(text).to_string();
            assert!(error.contains(problem) && !error.contains("heim"), "{text}: {error}");
        }
    }
}
