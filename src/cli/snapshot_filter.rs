//! Which snapshots are meant: `--host`, `--tag` and `--path`, alike in every command that has them.

use clap::Args;

use super::context::Context;
use crate::repository::SnapshotFilter;

/// Options that narrow a set of snapshots.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FilterArgs {
    /// Only snapshots of this host; several times: of any of them; empty: of any host [env: RESTIC_HOST]
    #[arg(short = 'H', long, value_name = "HOST")]
    pub(crate) host: Vec<String>,

    /// Only snapshots with all tags of this list; several times: of any of the lists; empty: without tags
    #[arg(long, value_name = "TAG[,TAG…]")]
    pub(crate) tag: Vec<TagList>,

    /// Only snapshots of this absolute path; several times: of all of them
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<String>,
}

/// Tags that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagList(pub(crate) Vec<String>);

impl From<&str> for TagList {
    fn from(text: &str) -> TagList {
        TagList(text.split(',').map(|tag| tag.trim().to_owned()).collect())
    }
}

/// The tags of all lists that are not empty: what a new snapshot gets.
pub(crate) fn flattened(lists: &[TagList]) -> Vec<String> {
    lists.iter().flat_map(|list| &list.0).filter(|tag| !tag.is_empty()).cloned().collect()
}

impl FilterArgs {
    /// The filter; the host is the environment's if no option names one.
    pub(crate) fn filter(&self, context: &Context) -> SnapshotFilter {
        self.filter_or(context.settings.host.as_deref())
    }

    fn filter_or(&self, host: Option<&str>) -> SnapshotFilter {
        let hosts = match self.host.as_slice() {
            [] => host.map(str::to_owned).into_iter().collect(),
            [any] if any.is_empty() => Vec::new(),
            given => given.to_vec(),
        };
        let tags = self.tag.iter().map(|list| list.0.clone()).collect();
        SnapshotFilter { hosts, tags, paths: self.path.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(given: &[&str], variable: Option<&str>) -> Vec<String> {
        let host = given.iter().map(|host| (*host).to_owned()).collect();
        FilterArgs { host, ..FilterArgs::default() }.filter_or(variable).hosts
    }

    #[test]
    fn the_variable_names_the_host_unless_an_option_does() {
        assert_eq!(hosts(&[], None), [""; 0]);
        assert_eq!(hosts(&[], Some("a")), ["a"]);
        assert_eq!(hosts(&["b", "c"], Some("a")), ["b", "c"]);
        assert_eq!(hosts(&[""], Some("a")), [""; 0], "an empty option unsets the variable");
    }

    #[test]
    fn tags_come_in_lists() {
        assert_eq!(TagList::from("a, b").0, ["a", "b"]);
        assert_eq!(TagList::from("").0, [""]);
        assert_eq!(flattened(&["a,b".into(), "".into(), "c".into()]), ["a", "b", "c"]);
    }
}
