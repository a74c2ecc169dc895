//! How far a long command is: a line on stderr that renews itself, for people who watch; JSON for programs.
//!
//! Without a terminal nothing is told, unless `RESTIC_PROGRESS_FPS` asks for lines or `--json` for objects. SIGUSR1 asks
//! for one line at any time.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::context::Context;
use super::output::{Output, Verbosity};
use super::{text, units};
use crate::repository::{Event, Progress, Step};

/// Between two updates, if the environment says nothing else.
const INTERVAL: Duration = Duration::from_millis(100);

/// Something whose progress can be told.
pub(crate) trait Status: Send + Sync + 'static {
    /// In words: a line, and maybe more of what is under way; none: not yet.
    fn lines(&self) -> Vec<String>;

    /// As an object of JSON, where restic has one.
    fn print_json(&self, _output: &Output) {}
}

/// Tells the progress of something from time to time, until it is dropped.
pub(crate) struct Meter {
    output: Output,
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// Begins to tell.
    pub(crate) fn start(context: &Context, status: Arc<dyn Status>) -> Meter {
        let output = context.output.clone();
        let interval = context.settings.progress_interval;
        let bar = output.shows_progress().then(new_bar);
        output.set_bar(bar.clone());
        let quiet = output.verbosity() == Verbosity::Quiet;
        let period = match interval {
            Some(interval) if !quiet => Some(interval),
            _ if bar.is_some() || output.is_json() && !quiet => Some(INTERVAL),
            _ => None,
        };
        let task = tokio::spawn(tell(output.clone(), status, bar.clone(), period));
        Meter { output, task, bar }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.output.set_bar(None);
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}

async fn tell(output: Output, status: Arc<dyn Status>, bar: Option<ProgressBar>, period: Option<Duration>) {
    let mut asked = signal(SignalKind::user_defined1()).ok();
    loop {
        let tick = async {
            match period {
                Some(period) => tokio::time::sleep(period).await,
                None => std::future::pending().await,
            }
        };
        let question = async {
            match &mut asked {
                Some(asked) => asked.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tick => match &bar {
                Some(bar) => {
                    let message = shown(&status.lines());
                    // Nothing to tell, and nothing told before: the terminal is left alone.
                    if !(message.is_empty() && bar.message().is_empty()) {
                        bar.set_message(message);
                    }
                }
                None if output.is_json() => status.print_json(&output),
                None => status.lines().iter().take(1).for_each(|line| output.error(line)),
            },
            _ = question => status.lines().iter().take(1).for_each(|line| output.error(line)),
        }
    }
}

/// Lines as they fit a terminal, harmless.
fn shown(lines: &[String]) -> String {
    let width = match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 2 => usize::from(size.ws_col),
        _ => 80,
    };
    let fit = |line: &String| text::one_line(line).chars().take(width - 2).collect::<String>();
    lines.iter().map(fit).collect::<Vec<_>>().join("\n")
}

/// The steps of work in a repository: index files, snapshots, packs.
pub(crate) struct Steps {
    started: Instant,
    current: Mutex<Option<(Step, u64)>>,
    done: AtomicU64,
}

impl Steps {
    /// Nothing has begun yet.
    pub(crate) fn new() -> Arc<Steps> {
        Arc::new(Steps { started: Instant::now(), current: Mutex::default(), done: AtomicU64::new(0) })
    }

    /// A listener that counts steps and prints notes and warnings.
    pub(crate) fn listener(self: &Arc<Steps>, output: &Output) -> Progress {
        let (steps, output) = (Arc::clone(self), output.clone());
        Progress::new(move |event| steps.hear(&event, &output))
    }

    fn hear(&self, event: &Event, output: &Output) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepStarted { step, total } => {
                self.done.store(0, Ordering::Relaxed);
                *current = Some((*step, *total));
            }
            Event::StepAdvanced { .. } => {
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            Event::StepFinished { .. } => *current = None,
            // On stdout it would stand in the middle of what a command prints.
            Event::Note(text) => output.remark(text),
            Event::Warning(text) => output.error(text),
            _ => {}
        }
    }
}

impl Status for Steps {
    fn lines(&self) -> Vec<String> {
        let current = *self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((step, total)) = current else { return Vec::new() };
        let done = self.done.load(Ordering::Relaxed);
        let what = match step {
            Step::Index => "index files loaded",
            Step::Snapshots => "snapshots",
            Step::Packs => "packs",
        };
        let time = units::format_seconds(self.started.elapsed().as_secs());
        vec![format!("[{time}] {}  {done} / {total} {what}", units::format_percent(done, total))]
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::capture::captured;
    use super::*;

    #[test]
    fn steps_are_counted_and_notes_printed() {
        let (output, stdout, stderr) = captured(Verbosity::Normal, false, false);
        let steps = Steps::new();
        let listener = steps.listener(&output);
        assert_eq!(steps.lines(), [""; 0]);
        listener.report(Event::StepStarted { step: Step::Packs, total: 4 });
        listener.report(Event::StepAdvanced { step: Step::Packs });
        assert_eq!(steps.lines(), ["[0:00] 25.00%  1 / 4 packs"]);
        listener.report(Event::StepFinished { step: Step::Packs });
        assert_eq!(steps.lines(), [""; 0]);
        listener.report(Event::Note("waiting for a lock".to_owned()));
        listener.report(Event::Warning("a lock stayed".to_owned()));
        assert_eq!((stdout.text().as_str(), stderr.text().as_str()), ("", "waiting for a lock\na lock stayed\n"));
    }
}
