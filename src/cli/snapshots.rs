//! `snapshots`: what is in the repository.

use std::collections::{BTreeMap, HashMap};

use clap::Args;
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::{CliError, chain};
use super::group_by::{GroupBy, GroupKey};
use super::snapshot_filter::FilterArgs;
use super::table::Table;
use super::when::Zone;
use super::{text, units};
use crate::format::{Extra, Snapshot, SnapshotId};
use crate::repository::{LockMode, Repository, RepositoryError, SnapshotFilter};

/// List the snapshots of the repository
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma snapshots                         all
  replicator-kuma snapshots --latest 1 -g host      the newest of each host
  replicator-kuma snapshots --json | jq '.[].id'    for scripts")]
pub(crate) struct SnapshotsArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// One line a snapshot
    #[arg(short, long)]
    compact: bool,

    /// Only the newest N of each host and set of paths, or of each group
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    latest: usize,

    /// Group by host, paths, tags, or several of them
    #[arg(short, long, value_name = "GROUP[,GROUP…]", default_value = "", hide_default_value = true)]
    group_by: GroupBy,

    /// Only these: `latest`, or IDs or beginnings of them
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// A snapshot with its name, as restic's JSON has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Named {
    #[serde(flatten)]
    snapshot: Snapshot,
    id: SnapshotId,
    short_id: String,
}

#[derive(Serialize)]
struct Group<'a> {
    group_key: &'a GroupKey,
    snapshots: &'a [Named],
}

impl Named {
    /// Leaves out what restic does not know, as its own JSON does.
    pub(crate) fn new(id: SnapshotId, mut snapshot: Snapshot) -> Named {
        snapshot.extra = Extra::default();
        if let Some(summary) = &mut snapshot.summary {
            summary.extra = Extra::default();
        }
        Named { short_id: id.short(), snapshot, id }
    }
}

pub(super) async fn run(context: &Context, args: &SnapshotsArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    let find = async { find(context, &repository, &args.filter.filter(context), &args.ids).await };
    let found = context.locked(&repository, LockMode::Shared, find).await?;
    let groups = group(found, args.group_by, args.latest);
    if context.output.is_json() {
        print_json(context, &groups, args.group_by)?;
        return Ok(Outcome::Done);
    }
    for (key, snapshots) in &groups {
        if !args.group_by.is_nothing() {
            print_heading(context, key)?;
        }
        context.output.answer_bytes(render(snapshots, args.compact, &context.zone).as_bytes())?;
    }
    Ok(Outcome::Done)
}

/// The snapshots that are meant; what cannot be found or read is told and left out.
async fn find(
    context: &Context,
    repository: &Repository,
    filter: &SnapshotFilter,
    specs: &[String],
) -> Result<Vec<Named>, CliError> {
    let ignore = |what: &str, error: &RepositoryError| {
        context.output.error(&format!("Ignoring {:?}: {}", what, chain(error)));
    };
    let mut found: Vec<Named> = Vec::new();
    if specs.is_empty() {
        for (id, snapshot) in repository.snapshots_or_faults().await? {
            match snapshot {
                Ok(snapshot) if filter.matches(&snapshot) => found.push(Named::new(id, snapshot)),
                Ok(_) => {}
                Err(error) => ignore(&id.to_string(), &error),
            }
        }
    }
    for spec in specs {
        if spec.contains(':') {
            context.output.error(&format!("Ignoring {spec:?}: a folder of a snapshot cannot be listed here"));
            continue;
        }
        match repository.find_snapshot(spec, filter).await {
            Ok(one) if found.iter().any(|known| known.id == one.id) => {}
            Ok(one) => found.push(Named::new(one.id, one.snapshot)),
            Err(error) => ignore(spec, &error),
        }
    }
    if !specs.is_empty() && !specs.iter().any(|spec| spec == "latest") && !filter.is_empty() {
        context.output.error("Ignoring the filters: snapshots are named");
    }
    Ok(found)
}

/// The snapshots by group, the oldest of each first, cut down to the newest few.
fn group(snapshots: Vec<Named>, by: GroupBy, latest: usize) -> Vec<(GroupKey, Vec<Named>)> {
    let mut groups: BTreeMap<GroupKey, Vec<Named>> = BTreeMap::new();
    for mut named in snapshots {
        named.snapshot.paths.sort_unstable();
        if by.tags {
            named.snapshot.tags.sort_unstable();
        }
        groups.entry(by.key_of(&named.snapshot)).or_default().push(named);
    }
    for members in groups.values_mut() {
        members.sort_by_key(|named| (named.snapshot.time.timestamp(), named.id));
        if latest > 0 {
            keep_latest(members, latest, by.is_nothing());
        }
    }
    groups.into_iter().collect()
}

/// Leaves the newest `count`, of each host and set of paths if `each`.
fn keep_latest(members: &mut Vec<Named>, count: usize, each: bool) {
    let mut seen: HashMap<(String, Vec<String>), usize> = HashMap::new();
    let mut kept: Vec<Named> = Vec::new();
    for named in members.drain(..).rev() {
        let key =
            if each { (named.snapshot.hostname.clone(), named.snapshot.paths.clone()) } else { Default::default() };
        let seen = seen.entry(key).or_default();
        *seen += 1;
        if *seen <= count {
            kept.push(named);
        }
    }
    kept.reverse();
    *members = kept;
}

fn print_json(context: &Context, groups: &[(GroupKey, Vec<Named>)], by: GroupBy) -> Result<(), CliError> {
    if by.is_nothing() {
        let all: Vec<&Named> = groups.iter().flat_map(|(_, snapshots)| snapshots).collect();
        context.output.json(&all)?;
    } else {
        let groups: Vec<Group<'_>> =
            groups.iter().map(|(group_key, snapshots)| Group { group_key, snapshots }).collect();
        context.output.json(&groups)?;
    }
    Ok(())
}

fn print_heading(context: &Context, key: &GroupKey) -> Result<(), CliError> {
    let words = key.in_words();
    if !words.is_empty() {
        context.output.answer(&format!("snapshots for ({}):", text::one_line(&words)))?;
    }
    Ok(())
}

/// The table that restic prints.
fn render(snapshots: &[Named], compact: bool, zone: &Zone) -> String {
    let sized = snapshots.iter().any(|named| named.snapshot.summary.is_some());
    let mut columns = match compact {
        true => vec!["ID", "Time", "Host", "Tags  "],
        false => vec!["ID", "Time", "Host      ", "Tags      ", "Paths"],
    };
    columns.extend(sized.then_some("Size"));
    let mut table = Table::new(columns);
    for named in snapshots {
        let Named { snapshot, short_id, .. } = named;
        let mut row = vec![
            vec![short_id.clone()],
            vec![zone.format(&snapshot.time)],
            vec![snapshot.hostname.clone()],
            if compact { snapshot.tags.clone() } else { vec![snapshot.tags.join(",")] },
        ];
        if !compact {
            row.push(snapshot.paths.clone());
        }
        if sized {
            let size = snapshot.summary.as_ref().map(|summary| units::format_bytes(summary.total_bytes_processed));
            row.push(vec![size.unwrap_or_default()]);
        }
        table.row(row);
    }
    if !compact && snapshots.iter().any(|named| named.snapshot.paths.len() > 1) {
        table.blank_between_rows();
    }
    table.footer(format!("Timestamps shown in {}", zone.name()));
    table.footer(format!("{} snapshots", snapshots.len()));
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Summary, TreeId};

    fn named(number: u8, time: &str, host: &str, paths: &[&str]) -> Named {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let mut snapshot = Snapshot::new(time.parse().unwrap(), TreeId::from_bytes([number; 32]), paths);
        snapshot.hostname = host.to_owned();
        Named::new(SnapshotId::from_bytes([number; 32]), snapshot)
    }

    fn ids(groups: &[(GroupKey, Vec<Named>)]) -> Vec<Vec<String>> {
        groups.iter().map(|(_, members)| members.iter().map(|named| named.short_id.clone()).collect()).collect()
    }

    #[test]
    fn the_table_is_that_of_restic() {
        let mut first = named(0x5d, "2026-11-23T12:52:45.48Z", "vm", &["/tmp/c/w/src"]);
        first.snapshot.summary = Some(Summary { total_bytes_processed: 6, ..Summary::default() });
        let mut second = named(0xab, "2026-11-23T14:52:47+01:00", "vm", &["/f"]);
        second.snapshot.tags = vec!["a".to_owned(), "b".to_owned()];
        let expected = "\
ID        Time                 Host        Tags        Paths         Size
-------------------------------------------------------------------------
5d5d5d5d  2026-11-23 12:52:45  vm                      /tmp/c/w/src  6 B
abababab  2026-11-23 13:52:47  vm          a,b         /f
-------------------------------------------------------------------------
Timestamps shown in UTC
2 snapshots
";
        assert_eq!(render(&[first.clone(), second.clone()], false, &Zone::utc()), expected);
        let compact = "\
ID        Time                 Host  Tags    Size
-------------------------------------------------
5d5d5d5d  2026-11-23 12:52:45  vm            6 B
abababab  2026-11-23 13:52:47  vm    a
                                     b
-------------------------------------------------
Timestamps shown in UTC
2 snapshots
";
        assert_eq!(render(&[first, second], true, &Zone::utc()), compact);
    }

    #[test]
    fn the_newest_of_each_host_and_set_of_paths_are_kept() {
        let snapshots = vec![
            named(1, "2026-01-01T00:00:00Z", "a", &["/x", "/y"]),
            named(2, "2026-01-03T00:00:00Z", "a", &["/y", "/x"]),
            named(3, "2026-01-02T00:00:00Z", "b", &["/x"]),
        ];
        let groups = group(snapshots.clone(), GroupBy::default(), 1);
        assert_eq!(ids(&groups), [["03030303", "02020202"]]);
        let groups = group(snapshots, "host".parse().unwrap(), 1);
        assert_eq!(ids(&groups), [["02020202"], ["03030303"]]);
    }

    #[test]
    fn json_has_the_fields_of_restic_in_its_order() {
        let json = crate::format::to_json(&named(1, "2026-01-01T00:00:00Z", "a", &["/x"])).unwrap();
        let expected = format!(
            r#"{{"time":"2026-01-01T00:00:00Z","tree":"{0}","paths":["/x"],"hostname":"a","id":"{0}","short_id":"01010101"}}"#,
            "01".repeat(32)
        );
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }
}
