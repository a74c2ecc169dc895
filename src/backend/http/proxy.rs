//! Proxies by the usual variables: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, each in small letters too.

use reqwest::{NoProxy, Proxy};

use crate::backend::error::{ErrorKind, Failure};
use crate::backend::options::Environment;

/// Never asked through a proxy, as in restic: a proxy's own loopback is not ours.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

pub(super) fn proxies(environment: &Environment) -> Result<Vec<Proxy>, Failure> {
    let exceptions = match environment.first(&["NO_PROXY", "no_proxy"]) {
        Some(names) => format!("{LOOPBACK},{names}"),
        None => LOOPBACK.to_owned(),
    };
    type Make = fn(&str) -> reqwest::Result<Proxy>;
    let kinds: [([&str; 2], Make); 3] = [
        (["HTTPS_PROXY", "https_proxy"], |url| Proxy::https(url)),
        (["HTTP_PROXY", "http_proxy"], |url| Proxy::http(url)),
        (["ALL_PROXY", "all_proxy"], |url| Proxy::all(url)),
    ];
    let mut proxies = Vec::new();
    for (names, make) in kinds {
        let Some(url) = environment.first(&names) else { continue };
        // The value may hold a password: the error names the variable only.
        let unusable = |problem: &str| {
            let name = names.iter().find(|name| environment.get(name).is_some()).unwrap_or(&"the proxy");
            Failure::new(ErrorKind::Setting, format!("{name}: {problem}"))
        };
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(unusable("only proxies of the forms http://host:port and https://host:port are supported"));
        }
        let proxy = make(&url).map_err(|_| unusable("not a URL of the form http://host:port"))?;
        proxies.push(proxy.no_proxy(NoProxy::from_string(&exceptions)));
    }
    Ok(proxies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Environment {
        [(name, value)].into_iter().collect()
    }

    #[test]
    fn a_proxy_may_be_given_with_and_without_a_scheme() {
        for (name, value) in [("HTTPS_PROXY", "http://proxy:3128"), ("http_proxy", "proxy:3128"), ("ALL_PROXY", "p")] {
            assert_eq!(proxies(&with(name, value)).expect(value).len(), 1, "{value}");
        }
        assert!(proxies(&Environment::empty()).expect("none").is_empty());
    }

    #[test]
    fn an_unusable_proxy_is_named_by_its_variable_and_its_password_is_not_shown() {
        for value in ["socks5://u:geheim@proxy", "http://u:geheim@:x"] {
            let failure = proxies(&with("https_proxy", value)).expect_err(value);
            assert_eq!(failure.kind, ErrorKind::Setting);
            let words = failure.source.expect("a source").to_string();
            assert!(words.starts_with("https_proxy: ") && !words.contains("geheim"), "{words}");
        }
    }
}
