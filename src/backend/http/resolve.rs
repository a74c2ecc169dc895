//! Names to addresses without libc: `getaddrinfo` loads the host's NSS libraries into a static binary, which ends in
//! a crash where they were built for another glibc.
//!
//! The servers are those of `/etc/resolv.conf` and no others: a public server asked behind the administrator's back
//! would leak names and miss private ones. `/etc/hosts` and `localhost` work without any. Both files are read anew for
//! each new connection, so that a long-running process follows a machine from network to network.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use reqwest::dns::{Addrs, Resolve, Resolving};

use crate::backend::error::ErrorKind;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Resolves the names of servers and proxies.
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        Box::pin(async move {
            let addresses = lookup(name.as_str()).await?;
            // Port 0: reqwest puts in the URL's.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("no address for {host}")]
    Unknown { host: String },
    #[error("no address for {host}: {RESOLV_CONF} is missing or names no server")]
    NoServers { host: String },
    #[error("no answer from the name servers about {host}: {source}")]
    NoAnswer { host: String, source: NetError },
}

impl ResolveError {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            ResolveError::Unknown { .. } | ResolveError::NoServers { .. } => ErrorKind::UnknownHost,
            ResolveError::NoAnswer { .. } => ErrorKind::Unreachable,
        }
    }
}

async fn lookup(host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let settings = Settings::parse(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default());
    let has_servers = !settings.servers.is_empty();
    let explain = |source: NetError| match (has_servers, source.is_no_records_found()) {
        (false, _) => ResolveError::NoServers { host: host.to_owned() },
        (true, true) => ResolveError::Unknown { host: host.to_owned() },
        (true, false) => ResolveError::NoAnswer { host: host.to_owned(), source },
    };
    let resolver = settings.resolver().map_err(explain)?;
    let addresses: Vec<IpAddr> = resolver.lookup_ip(host).await.map_err(explain)?.iter().collect();
    if addresses.is_empty() { Err(ResolveError::Unknown { host: host.to_owned() }) } else { Ok(addresses) }
}

/// What resolv.conf(5) says, as far as we follow it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    servers: Vec<IpAddr>,
    search: Vec<String>,
    ndots: Option<usize>,
    timeout_seconds: Option<u64>,
    attempts: Option<usize>,
}

impl Settings {
    fn parse(text: &str) -> Settings {
        let mut settings = Settings::default();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                // A link-local server's "%eth0" is not ours to understand: such a server is left out.
                Some("nameserver") => {
                    settings.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()))
                }
                // The last of these two wins.
                Some("search" | "domain") => settings.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| settings.set(option)),
                _ => {}
            }
        }
        settings
    }

    fn set(&mut self, option: &str) {
        // Caps are those of the manual page.
        match option.split_once(':') {
            Some(("ndots", value)) => self.ndots = value.parse().ok().map(|dots: usize| dots.min(15)),
            Some(("timeout", value)) => self.timeout_seconds = value.parse().ok().map(|time: u64| time.clamp(1, 30)),
            Some(("attempts", value)) => self.attempts = value.parse().ok().map(|times: usize| times.clamp(1, 5)),
            _ => {}
        }
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let search = self.search.iter().filter_map(|name| Name::from_utf8(name).ok()).collect();
        let servers = self.servers.iter().copied().map(NameServerConfig::udp_and_tcp).collect();
        let config = ResolverConfig::from_parts(None, search, servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.ndots = self.ndots.unwrap_or(options.ndots);
        options.timeout = self.timeout_seconds.map_or(options.timeout, Duration::from_secs);
        options.attempts = self.attempts.unwrap_or(options.attempts);
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_understood_as_its_manual_page_says() {
        let text = "# made by hand\n; or not\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\n\
                    domain gone.example\nsearch a.example b.example\noptions ndots:2 timeout:99 attempts:0 rotate\n";
        let expected = Settings {
            servers: vec!["192.0.2.1".parse().expect("IPv4"), "2001:db8::1".parse().expect("IPv6")],
            search: vec!["a.example".to_owned(), "b.example".to_owned()],
            ndots: Some(2),
            timeout_seconds: Some(30),
            attempts: Some(1),
        };
        assert_eq!(Settings::parse(text), expected);
        assert_eq!(Settings::parse(""), Settings::default());
    }

    #[tokio::test]
    async fn localhost_has_an_address_without_any_server() {
        let resolver = Settings::default().resolver().expect("a resolver");
        let addresses: Vec<IpAddr> = resolver.lookup_ip("localhost").await.expect("localhost").iter().collect();
        assert!(addresses.iter().any(IpAddr::is_loopback), "{addresses:?}");
    }

    #[tokio::test]
    async fn without_servers_no_other_server_is_asked() {
        let resolver = Settings::default().resolver().expect("a resolver");
        resolver.lookup_ip("name.example.org").await.expect_err("nobody to ask");
    }
}
