//! Where everything that is printed goes: the answer to stdout, everything else to stderr.
//!
//! Four rules are kept here for all commands: a line of progress is never torn by another line; what goes to a
//! terminal is [visible](text::visible) text; JSON mode silences what is meant for people; and a reader of stdout that
//! went away ends the command without noise.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::builder::styling::{AnsiColor, Style};
use indicatif::ProgressBar;
use serde::Serialize;

use super::text;
use crate::backend::Environment;
use crate::format::to_json;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// The answer and errors only (`--quiet`).
    Quiet,
    /// What matters.
    Normal,
    /// Each phase (`-v`).
    Verbose,
    /// Each file (`-vv`).
    Debug,
}

/// The process's two output streams; clones print to the same ones.
#[derive(Clone)]
pub(crate) struct Output {
    inner: Arc<Inner>,
}

struct Inner {
    verbosity: Verbosity,
    json: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    colours: bool,
    streams: Mutex<Streams>,
}

struct Streams {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
    failure: Option<io::Error>,
}

impl Output {
    /// The streams of this process.
    pub(crate) fn of_this_process(verbosity: Verbosity, json: bool, environment: &Environment) -> Output {
        let stderr_is_terminal = io::stderr().is_terminal();
        let plain = environment.get("NO_COLOR").is_some() || environment.get("TERM") == Some("dumb");
        let streams = Streams {
            stdout: Box::new(io::BufWriter::with_capacity(1 << 16, io::stdout())),
            stderr: Box::new(io::stderr()),
            bar: None,
            failure: None,
        };
        let inner = Inner {
            verbosity,
            json,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal,
            colours: stderr_is_terminal && !plain,
            streams: Mutex::new(streams),
        };
        Output { inner: Arc::new(inner) }
    }

    /// Whether the answer is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.inner.json
    }

    /// Whether a person sees the answer.
    pub(crate) fn is_terminal(&self) -> bool {
        self.inner.stdout_is_terminal
    }

    /// Whether a person sees the progress.
    pub(crate) fn shows_progress(&self) -> bool {
        self.inner.stderr_is_terminal && !self.inner.json && self.inner.verbosity >= Verbosity::Normal
    }

    /// How much is told.
    pub(crate) fn verbosity(&self) -> Verbosity {
        self.inner.verbosity
    }

    /// Prints a line of the answer, whatever the verbosity.
    pub(crate) fn answer(&self, line: &str) -> io::Result<()> {
        self.write_answer(line.as_bytes(), b"\n")
    }

    /// Prints a part of the answer that may be any bytes; a terminal is shown visible text.
    pub(crate) fn answer_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_answer(bytes, b"")
    }

    /// Prints a value as one line of JSON, as Go's encoder writes it.
    pub(crate) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut line = to_json(value)?;
        if self.inner.stdout_is_terminal {
            line = text::visible_json(&String::from_utf8_lossy(&line)).into_bytes();
        }
        line.push(b'\n');
        self.with_streams(|streams| streams.stdout.write_all(&line))
    }

    /// The same at once, where nobody can take an error: it is told at the [end](Output::finish).
    pub(crate) fn json_note(&self, value: &impl Serialize) {
        let printed = self.json(value).and_then(|()| self.with_streams(|streams| streams.stdout.flush()));
        if let Err(failure) = printed {
            self.lock().failure.get_or_insert(failure);
        }
    }

    /// Tells a person what matters; silent with `--quiet` and `--json`.
    pub(crate) fn note(&self, line: &str) {
        self.tell(Verbosity::Normal, line);
    }

    /// Tells a person about a phase of the work (`-v`).
    pub(crate) fn verbose(&self, line: &str) {
        self.tell(Verbosity::Verbose, line);
    }

    /// Tells a person about a single file (`-vv`).
    pub(crate) fn debug(&self, line: &str) {
        self.tell(Verbosity::Debug, line);
    }

    /// Tells a person what has nothing to do with the answer: on stderr; silent with `--quiet` and `--json`.
    pub(crate) fn remark(&self, line: &str) {
        if !self.inner.json && self.inner.verbosity >= Verbosity::Normal {
            self.error(line);
        }
    }

    /// Tells only a person who watches.
    pub(crate) fn aside(&self, line: &str) {
        if self.inner.stdout_is_terminal {
            self.note(line);
        }
    }

    /// Prints a line to stderr, whatever the verbosity.
    pub(crate) fn error(&self, line: &str) {
        let line = text::visible(line);
        let _ = self.with_streams(|streams| {
            streams.stdout.flush().ok();
            writeln!(streams.stderr, "{line}").ok();
            Ok(())
        });
    }

    /// Prints why the command failed, and the way out.
    pub(crate) fn fatal(&self, message: &str, hint: Option<&str>) {
        let styled = self.inner.colours;
        let paint = |text: &str, style: Style| if styled { format!("{style}{text}{style:#}") } else { text.to_owned() };
        let (word, rest) = message.split_once(": ").unwrap_or(("Fatal", message));
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let mut lines = format!("{}: {}\n", paint(word, red), text::visible(rest));
        if let Some(hint) = hint {
            lines.push_str(&format!("{}: {}\n", paint("hint", Style::new().bold()), text::visible(hint)));
        }
        let _ = self.with_streams(|streams| {
            streams.stdout.flush().ok();
            streams.stderr.write_all(lines.as_bytes()).ok();
            Ok(())
        });
    }

    /// Prints a value to stderr as one line of JSON.
    pub(crate) fn json_error(&self, value: &impl Serialize) {
        let Ok(line) = to_json(value) else { return };
        let _ = self.with_streams(|streams| {
            streams.stdout.flush().ok();
            streams.stderr.write_all(&line).and_then(|()| streams.stderr.write_all(b"\n")).ok();
            Ok(())
        });
    }

    /// From now on lines are printed above `bar`; none: there is no bar any more.
    pub(crate) fn set_bar(&self, bar: Option<ProgressBar>) {
        self.lock().bar = bar;
    }

    /// Hands over everything printed so far; the first failure of any earlier line is returned here too.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.with_streams(|streams| streams.stdout.flush())?;
        match self.lock().failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn tell(&self, from: Verbosity, line: &str) {
        if self.inner.json || self.inner.verbosity < from {
            return;
        }
        let result = self.answer(line).and_then(|()| self.with_streams(|streams| streams.stdout.flush()));
        if let Err(failure) = result {
            self.lock().failure.get_or_insert(failure);
        }
    }

    fn write_answer(&self, bytes: &[u8], end: &[u8]) -> io::Result<()> {
        let shown = self.inner.stdout_is_terminal.then(|| text::visible(&String::from_utf8_lossy(bytes)).into_owned());
        let bytes = shown.as_ref().map_or(bytes, |text| text.as_bytes());
        self.with_streams(|streams| streams.stdout.write_all(bytes).and_then(|()| streams.stdout.write_all(end)))
    }

    fn with_streams<T>(&self, print: impl FnOnce(&mut Streams) -> io::Result<T>) -> io::Result<T> {
        let mut streams = self.lock();
        match streams.bar.clone() {
            Some(bar) => bar.suspend(|| print(&mut streams)),
            None => print(&mut streams),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod capture {
    //! Streams that a test can read.

    use super::*;

    /// What was printed to one stream.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        /// Everything so far.
        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output and its stdout and stderr.
    pub(crate) fn captured(verbosity: Verbosity, json: bool, terminal: bool) -> (Output, Captured, Captured) {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let streams =
            Streams { stdout: Box::new(stdout.clone()), stderr: Box::new(stderr.clone()), bar: None, failure: None };
        let inner = Inner {
            verbosity,
            json,
            stdout_is_terminal: terminal,
            stderr_is_terminal: false,
            colours: false,
            streams: Mutex::new(streams),
        };
        (Output { inner: Arc::new(inner) }, stdout, stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::capture::captured;
    use super::*;

    #[test]
    fn a_terminal_never_sees_a_control_character() {
        let (output, stdout, stderr) = captured(Verbosity::Normal, false, true);
        output.answer("a\u{1b}[2Jb").unwrap();
        output.note("c\u{7}");
        output.error("d\u{1b}]0;x\u{7}");
        assert_eq!(stdout.text(), "a\\x1b[2Jb\nc\\x07\n");
        assert_eq!(stderr.text(), "d\\x1b]0;x\\x07\n");
    }

    #[test]
    fn a_pipe_gets_the_very_bytes() {
        let (output, stdout, _) = captured(Verbosity::Normal, false, false);
        output.answer("a\u{1b}[2Jb").unwrap();
        assert_eq!(stdout.text(), "a\u{1b}[2Jb\n");
    }

    #[test]
    fn json_silences_what_is_for_people() {
        let (output, stdout, _) = captured(Verbosity::Debug, true, true);
        output.note("using parent snapshot");
        output.verbose("load index");
        output.json(&"<a>").unwrap();
        assert_eq!(stdout.text(), "\"\\u003ca\\u003e\"\n");
    }

    #[test]
    fn json_stays_json_on_a_terminal() {
        let (output, stdout, _) = captured(Verbosity::Normal, true, true);
        output.json(&"\u{9b}2J\u{7f}\u{e0041}ü").unwrap();
        assert_eq!(stdout.text(), "\"\\u009b2J\\u007f\\udb40\\udc41ü\"\n");
        assert_eq!(serde_json::from_str::<String>(&stdout.text()).unwrap(), "\u{9b}2J\u{7f}\u{e0041}ü");
    }

    #[test]
    fn quiet_leaves_the_answer() {
        let (output, stdout, _) = captured(Verbosity::Quiet, false, false);
        output.note("told");
        output.answer("asked for").unwrap();
        assert_eq!(stdout.text(), "asked for\n");
    }
}
