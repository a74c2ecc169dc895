//! Where the password comes from: a file, a command, a variable, a terminal, or the first line of stdin.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use zeroize::Zeroizing;

use super::error::CliError;
use super::global::GlobalArgs;
use super::textfile;
use crate::backend::Environment;
use crate::repository::{Interrupt, Password};

/// A place the password can be had from. It may hold the password: it does not print.
pub(crate) enum PasswordSource {
    /// A file, without white space at both ends.
    File(PathBuf),
    /// What a command prints, without white space at both ends.
    Command(String),
    /// The value of a variable.
    Given(Zeroizing<String>),
    /// The empty password.
    Empty,
    /// Whoever sits at the terminal, or else the first line of stdin.
    Ask,
}

/// What a password is asked for, so that messages name the right way out.
#[derive(Clone, Copy)]
pub(crate) struct Purpose {
    /// The prompt on a terminal.
    pub(crate) prompt: &'static str,
    /// The option that allows the empty password.
    pub(crate) empty_option: &'static str,
}

impl Purpose {
    /// The password of the repository that is opened.
    pub(crate) const OPEN: Purpose =
        Purpose { prompt: "enter password for repository: ", empty_option: "--insecure-no-password" };
    /// The password of a repository that is made.
    pub(crate) const INIT: Purpose =
        Purpose { prompt: "enter password for new repository: ", empty_option: "--insecure-no-password" };
    /// The password of the repository that parameters are taken from.
    pub(crate) const FROM: Purpose =
        Purpose { prompt: "enter password for source repository: ", empty_option: "--from-insecure-no-password" };
    /// The password of a new key.
    pub(crate) const NEW: Purpose =
        Purpose { prompt: "enter new password: ", empty_option: "--new-insecure-no-password" };
}

impl PasswordSource {
    /// What the global options and the environment name.
    pub(crate) fn of_options(args: &GlobalArgs, environment: &Environment) -> Result<PasswordSource, CliError> {
        let names = Names { prefix: "RESTIC", insecure: "--insecure-no-password" };
        let options = (args.password_file.as_deref(), args.password_command.as_deref(), args.insecure_no_password);
        PasswordSource::choose(options, environment, names)
    }

    /// What options of one repository and their variables name: options win, and two of a kind contradict each other.
    pub(crate) fn choose(
        (file, command, insecure): (Option<&Path>, Option<&str>, bool),
        environment: &Environment,
        names: Names,
    ) -> Result<PasswordSource, CliError> {
        let name = |what: &str| format!("{}_{what}", names.prefix);
        let variable = |what: &str| environment.get(&name(what));
        let source = match (file, command) {
            (Some(path), _) => PasswordSource::File(path.to_owned()),
            (None, Some(command)) => PasswordSource::Command(command.to_owned()),
            (None, None) => match (variable("PASSWORD_FILE"), variable("PASSWORD_COMMAND"), variable("PASSWORD")) {
                (Some(_), Some(_), _) => {
                    let (file, command) = (name("PASSWORD_FILE"), name("PASSWORD_COMMAND"));
                    return Err(CliError::usage(format!("{file} and {command} are both set: which one is meant?")));
                }
                (Some(path), None, _) => PasswordSource::File(path.into()),
                (None, Some(command), _) => PasswordSource::Command(command.to_owned()),
                (None, None, Some(password)) => PasswordSource::Given(Zeroizing::new(password.to_owned())),
                (None, None, None) => PasswordSource::Ask,
            },
        };
        match (insecure, source) {
            (false, source) => Ok(source),
            (true, PasswordSource::Ask) => Ok(PasswordSource::Empty),
            (true, _) => Err(CliError::usage(format!(
                "{} asks for the empty password, but a password is given too",
                names.insecure
            ))),
        }
    }

    /// Whether somebody at a terminal is asked, who may mistype.
    pub(crate) fn is_typed(&self) -> bool {
        matches!(self, PasswordSource::Ask) && io::stdin().is_terminal()
    }

    /// Whether the password would be read from stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        matches!(self, PasswordSource::Ask)
    }

    /// Where it comes from, in words.
    pub(crate) fn place(&self) -> String {
        match self {
            PasswordSource::File(path) => format!("the file {}", path.display()),
            PasswordSource::Command(_) => "the password command".to_owned(),
            PasswordSource::Given(_) => "the environment (RESTIC_PASSWORD or the like)".to_owned(),
            PasswordSource::Empty => "the option for an empty one".to_owned(),
            PasswordSource::Ask => "stdin".to_owned(),
        }
    }

    /// Where a password that did not fit came from, for a hint.
    pub(crate) fn told(&self) -> String {
        format!("the password came from {}; --password-file FILE names another", self.place())
    }

    /// The password.
    pub(crate) async fn obtain(&self, purpose: Purpose, interrupt: &Interrupt) -> Result<Password, CliError> {
        let bytes = match self {
            PasswordSource::Empty => return Ok(Password::new(Vec::new())),
            PasswordSource::File(path) => {
                let bytes = textfile::read(path)?;
                Zeroizing::new(textfile::trimmed(&bytes).to_vec())
            }
            PasswordSource::Command(command) => run(command, interrupt).await?,
            PasswordSource::Given(password) => Zeroizing::new(password.as_bytes().to_vec()),
            PasswordSource::Ask => ask(purpose.prompt, interrupt).await?,
        };
        if bytes.is_empty() {
            return Err(CliError::EmptyPassword { option: purpose.empty_option });
        }
        Ok(Password::new(bytes.to_vec()))
    }

    /// A password that is new: a person types it twice.
    pub(crate) async fn obtain_new(&self, purpose: Purpose, interrupt: &Interrupt) -> Result<Password, CliError> {
        let password = self.obtain(purpose, interrupt).await?;
        if self.is_typed() {
            let again = ask("enter password again: ", interrupt).await?;
            if again.as_slice() != password.as_bytes() {
                return Err(CliError::usage("the passwords are not the same"));
            }
        }
        Ok(password)
    }
}

/// How the options and variables of one repository's password are called.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    /// What the variables begin with.
    pub(crate) prefix: &'static str,
    /// The option for the empty password.
    pub(crate) insecure: &'static str,
}

/// Runs a command of the user's and takes what it prints.
async fn run(command: &str, interrupt: &Interrupt) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let words = split_words(command)?;
    let (program, arguments) = words.split_first().ok_or_else(|| CliError::usage("the password command is empty"))?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::select! {
        output = child.output() => output.map_err(|source| CliError::PasswordCommand { program: program.clone(), source })?,
        () = interrupt.requested() => return Err(CliError::Interrupted),
    };
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        let source = io::Error::other(output.status.to_string());
        return Err(CliError::PasswordCommand { program: program.clone(), source });
    }
    Ok(Zeroizing::new(textfile::trimmed(&printed).to_vec()))
}

/// Splits a command at blanks; single and double quotes hold words together. There is no shell: nothing is expanded.
fn split_words(command: &str) -> Result<Vec<String>, CliError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for character in command.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(CliError::usage("the password command has a quote that is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// Asks at the terminal, without showing what is typed; without one, reads the first line of stdin.
async fn ask(prompt: &str, interrupt: &Interrupt) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let fault = |source| CliError::Stdin { source };
    let hidden = if io::stdin().is_terminal() { Some(Hidden::begin(prompt).map_err(fault)?) } else { None };
    // A thread of its own: the runtime must not wait for a line that nobody types after an interrupt.
    let (sender, line) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(read_line()));
    let line = tokio::select! {
        line = line => line.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())).map_err(fault),
        () = interrupt.requested() => Err(CliError::Interrupted),
    };
    drop(hidden);
    line
}

/// One line of stdin, byte by byte: what follows it is left for others, and nothing keeps a copy.
fn read_line() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(1024));
    let mut byte = [0_u8];
    loop {
        match rustix::io::read(io::stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) => line.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin(prompt: &str) -> io::Result<Hidden> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        let hidden = Hidden { before };
        let mut stderr = io::stderr();
        stderr.write_all(prompt.as_bytes())?;
        stderr.flush()?;
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that went away.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
        let _ = io::stderr().write_all(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names { prefix: "RESTIC", insecure: "--insecure-no-password" };

    fn kind(options: (Option<&Path>, Option<&str>, bool), variables: &[(&str, &str)]) -> Result<&'static str, String> {
        let environment = variables.iter().copied().collect();
        match PasswordSource::choose(options, &environment, NAMES) {
            Ok(PasswordSource::File(_)) => Ok("file"),
            Ok(PasswordSource::Command(_)) => Ok("command"),
            Ok(PasswordSource::Given(_)) => Ok("given"),
            Ok(PasswordSource::Empty) => Ok("empty"),
            Ok(PasswordSource::Ask) => Ok("ask"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_win_over_variables_and_files_over_the_password_itself() {
        let password = ("RESTIC_PASSWORD", "x");
        assert_eq!(kind((None, None, false), &[]), Ok("ask"));
        assert_eq!(kind((None, None, false), &[password]), Ok("given"));
        assert_eq!(kind((None, None, false), &[password, ("RESTIC_PASSWORD_FILE", "f")]), Ok("file"));
        assert_eq!(kind((None, None, false), &[password, ("RESTIC_PASSWORD_COMMAND", "c")]), Ok("command"));
        assert_eq!(kind((None, Some("c"), false), &[("RESTIC_PASSWORD_FILE", "f")]), Ok("command"));
    }

    #[test]
    fn the_empty_password_and_another_one_contradict_each_other() {
        assert_eq!(kind((None, None, true), &[]), Ok("empty"));
        assert!(kind((None, None, true), &[("RESTIC_PASSWORD", "x")]).unwrap_err().contains("--insecure-no-password"));
    }

    #[test]
    fn a_file_and_a_command_in_the_environment_contradict_each_other() {
        let variables = [("RESTIC_PASSWORD_FILE", "f"), ("RESTIC_PASSWORD_COMMAND", "c")];
        assert!(kind((None, None, false), &variables).unwrap_err().contains("both set"));
    }

    #[test]
    fn commands_are_split_at_blanks_outside_of_quotes() {
        let split = |command| split_words(command).unwrap();
        assert_eq!(split("pass show 'my repo'"), ["pass", "show", "my repo"]);
        assert_eq!(split(r#"a "b 'c'" ''  d"e"f"#), ["a", "b 'c'", "", "def"]);
        assert!(split("  ").is_empty());
        assert!(split_words("a 'b").is_err());
    }

    #[tokio::test]
    async fn a_password_file_loses_its_white_space_and_byte_order_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, b"\xef\xbb\xbf geheim \r\n").unwrap();
        let source = PasswordSource::File(path.clone());
        let password = source.obtain(Purpose::OPEN, &Interrupt::never()).await.unwrap();
        assert_eq!(password.as_bytes(), b"geheim");
        std::fs::write(&path, b"\n").unwrap();
        let error = source.obtain(Purpose::OPEN, &Interrupt::never()).await.err().unwrap();
        assert!(matches!(error, CliError::EmptyPassword { .. }));
    }

    #[tokio::test]
    async fn a_password_command_that_fails_is_named() {
        let error = PasswordSource::Command("/nonexistent/pass x".to_owned());
        let error = error.obtain(Purpose::OPEN, &Interrupt::never()).await.err().unwrap();
        assert!(error.to_string().contains("/nonexistent/pass"), "{error}");
        let printed = PasswordSource::Command("echo ' geheim '".to_owned());
        assert_eq!(printed.obtain(Purpose::OPEN, &Interrupt::never()).await.unwrap().as_bytes(), b"geheim");
    }
}
