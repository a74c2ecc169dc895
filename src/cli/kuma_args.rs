//! Which Kuma: `--data-dir`, `--database`, `--tables` and `--settings`, alike in `publish`, `plan` and `apply`.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::output::Output;
use super::snapshot_filter::TagList;
use crate::backend::Environment;
use crate::replicate::{ApplyOptions, KumaOptions};

const KUMA: &str = "Uptime Kuma";

/// Which Kuma it is about, and what of it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct KumaArgs {
    /// Kuma's data directory [env: DATA_DIR] [default: /app/data where it exists, else ./data]
    #[arg(long, value_name = "FOLDER", help_heading = KUMA)]
    data_dir: Option<PathBuf>,

    /// Kuma's SQLite file itself [env: SQLITE_DATABASE] [default: kuma.db in the data directory]
    #[arg(long, value_name = "FILE", help_heading = KUMA)]
    database: Option<PathBuf>,

    /// Take part with these tables only; with signs: add (+) to the usual ones or take away (-) from them
    #[arg(long, value_name = "[+|-]TABLE[,…]", help_heading = KUMA, allow_hyphen_values = true)]
    tables: Option<String>,

    /// Take part with these keys of the table `setting` only, `none`, or with signs as for --tables
    #[arg(long, value_name = "[+|-]KEY[,…]", help_heading = KUMA, allow_hyphen_values = true)]
    settings: Option<String>,
}

/// What a replica follows.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReplicaArgs {
    #[command(flatten)]
    kuma: KumaArgs,

    /// The snapshot to follow: `latest`, an ID or the beginning of one
    #[arg(long, value_name = "SNAPSHOT", default_value = "latest")]
    snapshot: String,

    /// `latest` is the newest snapshot of this host; several times: of any of them
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Vec<String>,

    /// `latest` is the newest snapshot with all tags of this list; several times: of any of the lists
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<TagList>,

    /// Follow what both schemas have in common if the primary's Kuma has another version
    #[arg(long, help_heading = KUMA)]
    allow_schema_mismatch: bool,
}

impl KumaArgs {
    /// Whether --data-dir is given.
    pub(crate) fn names_data_dir(&self) -> bool {
        self.data_dir.is_some()
    }

    /// Whether --database is given.
    pub(crate) fn names_database(&self) -> bool {
        self.database.is_some()
    }

    /// The options; a data directory that an option names is not mixed with a database that a variable names.
    pub(crate) fn options(&self, environment: &Environment) -> KumaOptions {
        let variable = |name: &str| environment.get(name).map(PathBuf::from);
        let (data_dir, database) = match (&self.data_dir, &self.database) {
            (None, None) => (variable("DATA_DIR"), variable("SQLITE_DATABASE")),
            (data_dir, database) => (data_dir.clone(), database.clone()),
        };
        let (tables, settings) = (self.tables.clone(), self.settings.clone());
        KumaOptions { data_dir, database, tables, settings, keep_local: Vec::new() }
    }
}

impl ReplicaArgs {
    /// The options of `plan`, and of `apply` without its own.
    pub(crate) fn options(&self, context: &Context) -> ApplyOptions {
        ApplyOptions {
            kuma: self.kuma.options(&context.settings.environment),
            snapshot: self.snapshot.clone(),
            hosts: self.host.clone(),
            tags: self.tag.iter().map(|list| list.0.clone()).collect(),
            allow_schema_mismatch: self.allow_schema_mismatch,
            ..ApplyOptions::default()
        }
    }
}

/// Tells what an operator should know besides.
pub(crate) fn warn(output: &Output, warnings: &[String]) {
    if !output.is_json() {
        warnings.iter().for_each(|warning| output.error(&format!("Warning: {warning}")));
    }
}

/// `1 change`, `2 changes`.
pub(crate) fn counted(count: usize, singular: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {singular}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_win_over_both_variables() {
        let environment = [("DATA_DIR", "/v"), ("SQLITE_DATABASE", "/v/x.db")].into_iter().collect();
        let options = KumaArgs::default().options(&environment);
        assert_eq!((options.data_dir, options.database), (Some("/v".into()), Some("/v/x.db".into())));
        let args = KumaArgs { data_dir: Some("/o".into()), ..KumaArgs::default() };
        let options = args.options(&environment);
        assert_eq!((options.data_dir, options.database), (Some("/o".into()), None));
    }
}
