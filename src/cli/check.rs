//! `check`: is everything there, and is it what it was?

use clap::Args;
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::output::Output;
use super::progress::{Meter, Steps};
use super::snapshot_filter::FilterArgs;
use crate::format::PackId;
use crate::repository::{CheckOptions, CheckReport, Event, LockMode, Progress, ReadData};

/// Check the repository for errors
///
/// Without options it checks index files, the presence and sizes of packs, and all snapshots and folders. The content
/// of the files is checked by --read-data, which reads everything.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma check
  replicator-kuma check --read-data-subset 1/7      a seventh today, the next one tomorrow
  replicator-kuma check --read-data-subset 2.5%     some, chosen by chance")]
pub(crate) struct CheckArgs {
    /// Read all packs too
    #[arg(long)]
    read_data: bool,

    /// Read some packs too: part N of T (1/7), a percentage (2.5%) or a size (500M) chosen by chance
    #[arg(long, value_name = "SUBSET", conflicts_with = "read_data")]
    read_data_subset: Option<ReadData>,

    /// Accepted for restic's sake: there is no cache
    #[arg(long, hide = true)]
    with_cache: bool,

    /// Accepted for restic's sake, where it does nothing either
    #[arg(long, hide = true)]
    check_unused: bool,

    #[command(flatten)]
    filter: FilterArgs,

    /// Only what these snapshots need: `latest`, or IDs or beginnings of them
    #[arg(value_name = "SNAPSHOT")]
    snapshots: Vec<String>,
}

/// The result as restic's JSON has it.
#[derive(Serialize)]
struct Summary {
    message_type: &'static str,
    num_errors: usize,
    broken_packs: Option<Vec<PackId>>,
    suggest_repair_index: bool,
    suggest_prune: bool,
}

/// An error as restic's JSON has it.
#[derive(Serialize)]
struct Found<'a> {
    message_type: &'static str,
    message: &'a str,
}

pub(super) async fn run(context: &Context, args: &CheckArgs) -> Result<Outcome, CliError> {
    let checked = check(context, args).await;
    if context.output.is_json() {
        let failed = usize::from(checked.is_err());
        let report = checked.as_ref().ok();
        context.output.json(&Summary {
            message_type: "summary",
            num_errors: report.map_or(failed, |report| report.error_count),
            broken_packs: report.map(|report| report.broken_packs.clone()).filter(|packs| !packs.is_empty()),
            suggest_repair_index: report.is_some_and(|report| report.suggest_repair_index),
            suggest_prune: report.is_some_and(|report| report.suggest_prune),
        })?;
    }
    let report = checked?;
    conclude(&context.output, &report);
    if report.is_healthy() { Ok(Outcome::Done) } else { Err(CliError::Failed("repository contains errors".to_owned())) }
}

async fn check(context: &Context, args: &CheckArgs) -> Result<CheckReport, CliError> {
    let steps = Steps::new();
    let repository = context.open_with(listener(&steps, &context.output)).await?;
    let options = CheckOptions {
        read_data: match args.read_data {
            true => ReadData::All,
            false => args.read_data_subset.unwrap_or_default(),
        },
        snapshots: args.snapshots.clone(),
        filter: args.filter.filter(context),
    };
    if !context.settings.no_lock {
        context.output.note("create exclusive lock for repository");
    }
    let work = async { Ok(repository.check(&options).await?) };
    let meter = Meter::start(context, steps);
    let report = context.locked(&repository, LockMode::Exclusive, work).await;
    drop(meter);
    report
}

/// Tells each finding when it is found: errors on stderr, hints to people only.
fn listener(steps: &std::sync::Arc<Steps>, output: &Output) -> Progress {
    let (others, output) = (steps.listener(output), output.clone());
    Progress::new(move |event| match &event {
        Event::Note(text) => output.note(text),
        Event::Finding { is_hint: true, text } => output.verbose(text),
        Event::Finding { text, .. } if output.is_json() => {
            output.json_error(&Found { message_type: "error", message: text });
        }
        Event::Finding { text, .. } => output.error(&format!("error: {text}")),
        _ => others.report(event),
    })
}

/// What it comes to, and the way out.
fn conclude(output: &Output, report: &CheckReport) {
    if output.is_json() {
        return;
    }
    if report.is_healthy() {
        if report.unindexed_packs > 0 {
            output.note(&format!(
                "{} additional files were found in the repo, which likely contain duplicate data.\n\
                 This is harmless; `restic prune` removes them.",
                report.unindexed_packs
            ));
        } else if report.suggest_repair_index {
            output.note("Some packs are in several index files. This is harmless; `restic repair index` tidies up.");
        } else if report.suggest_prune {
            output.note("Some packs hold both data and folders. This is harmless; `restic prune` tidies up.");
        }
        output.note("no errors were found");
        return;
    }
    for line in repairs(report) {
        output.error(&line);
    }
}

/// Commands that repair what was found; all are restic's, and best run on a copy of the repository.
fn repairs(report: &CheckReport) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "The repository is damaged. If there is no copy to bring back, these commands save what is left:".to_owned(),
    ];
    if report.broken_packs.is_empty() || report.suggest_repair_index {
        lines.push("  restic repair index".to_owned());
    }
    if !report.broken_packs.is_empty() {
        let packs: Vec<String> = report.broken_packs.iter().map(ToString::to_string).collect();
        lines.push(format!("  restic repair packs {}", packs.join(" ")));
    }
    lines.push("  restic repair snapshots --forget".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::super::output::Verbosity;
    use super::super::output::capture::captured;
    use super::*;

    #[test]
    fn json_has_the_fields_of_restic_in_its_order() {
        let summary = Summary {
            message_type: "summary",
            num_errors: 0,
            broken_packs: None,
            suggest_repair_index: false,
            suggest_prune: false,
        };
        let expected = r#"{"message_type":"summary","num_errors":0,"broken_packs":null,"suggest_repair_index":false,"suggest_prune":false}"#;
        assert_eq!(serde_json::to_string(&summary).unwrap(), expected);
    }

    #[test]
    fn damage_is_told_with_the_commands_that_help() {
        let (output, stdout, stderr) = captured(Verbosity::Normal, false, false);
        let pack = PackId::from_bytes([0xab; 32]);
        let report = CheckReport { error_count: 1, broken_packs: vec![pack], ..CheckReport::default() };
        conclude(&output, &report);
        assert_eq!(stdout.text(), "");
        assert!(stderr.text().contains(&format!("restic repair packs {pack}\n")), "{}", stderr.text());
    }

    #[test]
    fn hints_are_no_errors() {
        let (output, stdout, _) = captured(Verbosity::Normal, false, false);
        conclude(
            &output,
            &CheckReport { hint_count: 2, unindexed_packs: 2, suggest_prune: true, ..CheckReport::default() },
        );
        assert!(stdout.text().starts_with("2 additional files") && stdout.text().ends_with("no errors were found\n"));
    }
}
