//! AWS credentials from variables and the shared files, in AWS's order. No server is ever asked for any.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::{ErrorKind, Failure};
use super::options::Environment;

/// What signs requests. It has no `Debug`: it is a secret.
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Option<Zeroizing<String>>,
    /// The region of the profile they come from.
    pub(super) region: Option<String>,
}

impl Credentials {
    /// The keys of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, else those of the profile
    /// `AWS_PROFILE` in `AWS_SHARED_CREDENTIALS_FILE` (`$HOME/.aws/credentials`) or `AWS_CONFIG_FILE`
    /// (`$HOME/.aws/config`).
    pub(super) fn find(environment: &Environment) -> Result<Credentials, Failure> {
        let key = environment.first(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
        let secret = environment.first(&["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]);
        match (key, secret) {
            (Some(key), Some(secret)) => Ok(Credentials {
                access_key_id: key.to_owned(),
                secret_access_key: Zeroizing::new(secret.to_owned()),
                session_token: environment.get("AWS_SESSION_TOKEN").map(|token| Zeroizing::new(token.to_owned())),
                region: None,
            }),
            (Some(_), None) => Err(missing("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")),
            (None, Some(_)) => Err(missing("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not")),
            (None, None) => from_files(environment),
        }
    }
}

fn missing(problem: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::CredentialsMissing, problem.into())
}

fn from_files(environment: &Environment) -> Result<Credentials, Failure> {
    let named = environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    let profile = named.unwrap_or("default");
    let mut keys = Keys::default();
    let files = files(environment);
    for file in &files {
        let Some(text) = file.read()? else { continue };
        keys.fill(&text, &file.section(profile));
    }
    let places = match files.as_slice() {
        [] => "the shared files, since HOME is not set".to_owned(),
        files => files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(" and "),
    };
    match (keys.access_key_id, keys.secret_access_key) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Credentials { access_key_id, secret_access_key, session_token: keys.session_token, region: keys.region })
        }
        (Some(_), None) | (None, Some(_)) => {
            Err(missing(format!("the profile {profile:?} in {places} has only one of its two keys")))
        }
        (None, None) => Err(match (keys.other_way, named) {
            (Some(way), _) => {
                missing(format!("the profile {profile:?} in {places} uses {way}, which is not supported"))
            }
            (None, Some(_)) => missing(format!("no profile {profile:?} with keys in {places}")),
            (None, None) => missing("neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor a profile with keys"),
        }),
    }
}

struct SharedFile {
    path: PathBuf,
    /// Somebody named it: it must be there.
    is_named: bool,
    /// The config file writes `[profile name]` where the credentials file writes `[name]`.
    is_config: bool,
}

fn files(environment: &Environment) -> Vec<SharedFile> {
    let home = environment.get("HOME").map(Path::new);
    [("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false), ("AWS_CONFIG_FILE", ".aws/config", true)]
        .into_iter()
        .filter_map(|(variable, below_home, is_config)| {
            let named = environment.get(variable).map(PathBuf::from);
            let is_named = named.is_some();
            let path = named.or_else(|| home.map(|home| home.join(below_home)))?;
            Some(SharedFile { path, is_named, is_config })
        })
        .collect()
}

impl SharedFile {
    fn read(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.is_named => Ok(None),
            Err(error) => Err(missing(format!("{}: {error}", self.path.display()))),
        }
    }

    fn section(&self, profile: &str) -> String {
        if self.is_config && profile != "default" { format!("profile {profile}") } else { profile.to_owned() }
    }
}

#[derive(Default)]
struct Keys {
    access_key_id: Option<String>,
    secret_access_key: Option<Zeroizing<String>>,
    session_token: Option<Zeroizing<String>>,
    region: Option<String>,
    /// A way to credentials that we do not go.
    other_way: Option<String>,
}

impl Keys {
    /// Takes what a section of a file has and an earlier file has not.
    fn fill(&mut self, text: &str, section: &str) {
        let mut inside = false;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                inside = name.split_whitespace().eq(section.split_whitespace());
            } else if let (true, Some((name, value))) = (inside, line.split_once('=')) {
                self.set(name.trim(), value.trim());
            }
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let secret = || Zeroizing::new(value.to_owned());
        match name {
            "aws_access_key_id" => _ = self.access_key_id.get_or_insert_with(|| value.to_owned()),
            "aws_secret_access_key" => _ = self.secret_access_key.get_or_insert_with(secret),
            "aws_session_token" => _ = self.session_token.get_or_insert_with(secret),
            "region" => _ = self.region.get_or_insert_with(|| value.to_owned()),
            "credential_process" | "role_arn" | "sso_session" | "sso_start_url" | "web_identity_token_file" => {
                _ = self.other_way.get_or_insert_with(|| name.to_owned());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(credentials: &str, config: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a folder");
        fs::create_dir(home.path().join(".aws")).expect("a folder");
        fs::write(home.path().join(".aws/credentials"), credentials).expect("a file");
        fs::write(home.path().join(".aws/config"), config).expect("a file");
        home
    }

    fn find(home: &tempfile::TempDir, variables: &[(&str, &str)]) -> Result<Credentials, Failure> {
        let mut environment: Environment = variables.iter().copied().collect();
        environment.set("HOME", home.path().to_str().expect("UTF-8"));
        Credentials::find(&environment)
    }

    fn problem(result: Result<Credentials, Failure>) -> String {
        let failure = result.map(|_| ()).expect_err("no credentials");
        assert_eq!(failure.kind, ErrorKind::CredentialsMissing);
        failure.source.expect("a source").to_string()
    }

    const TWO: &str = "[default]\naws_access_key_id = one\naws_secret_access_key=secret1\n\n# comment\n[work]\n\
                       aws_access_key_id=two\naws_secret_access_key=secret2\naws_session_token = token=2\n";

    #[test]
    fn variables_come_before_files() {
        let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
        let found = find(&home(TWO, ""), &keys).expect("keys");
        assert_eq!((found.access_key_id.as_str(), found.secret_access_key.as_str()), ("k", "s"));
        assert_eq!(found.session_token.as_deref().map(String::as_str), Some("t"));
    }

    #[test]
    fn a_profile_is_found_by_its_name_and_its_region_comes_along() {
        let home = home(TWO, "[default]\nregion=eu-1\n[profile work]\nregion = eu-2\n");
        let found = find(&home, &[]).expect("default");
        assert_eq!((found.access_key_id.as_str(), found.region.as_deref()), ("one", Some("eu-1")));
        assert!(found.session_token.is_none());
        let found = find(&home, &[("AWS_PROFILE", "work")]).expect("work");
        assert_eq!((found.access_key_id.as_str(), found.region.as_deref()), ("two", Some("eu-2")));
        assert_eq!(found.session_token.as_deref().map(String::as_str), Some("token=2"));
    }

    #[test]
    fn half_of_the_keys_or_none_says_what_is_missing() {
        let empty = home("", "");
        assert!(problem(find(&empty, &[("AWS_ACCESS_KEY_ID", "k")])).contains("AWS_SECRET_ACCESS_KEY is not"));
        assert!(problem(find(&empty, &[("AWS_SECRET_ACCESS_KEY", "geheim")])).contains("AWS_ACCESS_KEY_ID is not"));
        assert!(problem(find(&empty, &[])).contains("AWS_ACCESS_KEY_ID"));
        assert!(problem(Credentials::find(&Environment::empty())).contains("AWS_ACCESS_KEY_ID"));
        assert!(problem(find(&empty, &[("AWS_PROFILE", "gone")])).contains("\"gone\""));
        let homeless = [("AWS_PROFILE", "gone")].into_iter().collect();
        assert!(problem(Credentials::find(&homeless)).contains("HOME is not set"));
        let half = home("[default]\naws_access_key_id=x\n", "");
        assert!(problem(find(&half, &[])).contains("only one"));
    }

    #[test]
    fn a_profile_that_needs_a_server_to_ask_is_refused_by_name_and_not_tried() {
        let home = home("", "[profile sso]\nsso_session = x\n");
        assert!(problem(find(&home, &[("AWS_PROFILE", "sso")])).contains("uses sso_session"));
    }

    #[test]
    fn a_named_file_must_be_there() {
        let variables = [("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")];
        assert!(problem(find(&home(TWO, ""), &variables)).contains("/nonexistent/credentials"));
    }
}
