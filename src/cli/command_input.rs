//! A command of the user's whose output is backed up (`--stdin-from-command`).

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::error::CliError;
use super::output::Output;

/// The output of a running command; a command that fails is an error at its end, so that half an output is no backup.
pub(crate) struct CommandInput {
    child: Child,
    stdout: ChildStdout,
    program: String,
    ended: bool,
}

impl CommandInput {
    /// Starts the command; what it prints to stderr is told line by line.
    pub(crate) fn start(words: &[OsString], output: &Output) -> Result<CommandInput, CliError> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| CliError::usage("--stdin-from-command: no command is given"))?;
        let name = program.to_string_lossy().into_owned();
        let failed = |source| CliError::Command { program: name.clone(), source };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let (output, told_as) = (output.clone(), name.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                output.error(&format!("subprocess {told_as}: {}", String::from_utf8_lossy(&line)));
            }
        });
        Ok(CommandInput { child, stdout, program: name, ended: false })
    }
}

impl Read for CommandInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stdout.read(buffer)?;
        if read > 0 || buffer.is_empty() || self.ended {
            return Ok(read);
        }
        self.ended = true;
        let status = self.child.wait()?;
        if status.success() { Ok(0) } else { Err(io::Error::other(format!("{} failed: {status}", self.program))) }
    }
}

impl Drop for CommandInput {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody wants its output any more; that it ended by itself meanwhile is no error.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::Verbosity;
    use super::super::output::capture::captured;
    use super::*;

    fn read(words: &[&str]) -> (io::Result<Vec<u8>>, String) {
        let (output, _, stderr) = captured(Verbosity::Normal, false, false);
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let mut input = CommandInput::start(&words, &output).unwrap();
        let mut bytes = Vec::new();
        let read = input.read_to_end(&mut bytes).map(|_| bytes);
        (read, stderr.text())
    }

    #[test]
    fn the_output_of_a_command_is_read_to_its_end() {
        assert_eq!(read(&["echo", "hi"]).0.unwrap(), b"hi\n");
    }

    #[test]
    fn a_command_that_fails_is_an_error_even_if_it_printed_something() {
        let error = read(&["sh", "-c", "echo half; exit 3"]).0.unwrap_err().to_string();
        assert!(error.contains("sh failed") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let (output, ..) = captured(Verbosity::Normal, false, false);
        let error = CommandInput::start(&["/nonexistent/x".into()], &output).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/x"));
        assert!(CommandInput::start(&[], &output).is_err());
    }
}
