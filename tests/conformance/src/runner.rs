//! A runner at work: lines to it, lines from it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use eventsource_conformance::words::{line, words};

use crate::surfaces::Surface;

/// Only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The error of a runner that is waited for in vain.
pub const SILENCE: &str = "the runner says nothing";

/// The process; killed when it is dropped.
pub struct Runner {
    patience: Duration,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Runner {
    /// Starts the surface's runner.
    pub fn start(surface: &Surface) -> Result<Runner, String> {
        let (program, arguments) = surface.command.split_first().ok_or("no command")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{program}: {e}"))?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let out = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let (tell, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        // Others may fail by waiting for ever, and often.
        let patience = if surface.peer { Duration::from_secs(10) } else { PATIENCE };
        Ok(Runner { patience, child, input, lines })
    }

    /// Says something to it.
    pub fn say(&mut self, words: &[&str]) -> Result<(), String> {
        let text = line(words) + "\n";
        self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush()).map_err(|e| format!("the runner: {e}"))
    }

    /// Its next words.
    pub fn hear(&mut self) -> Result<Vec<String>, String> {
        self.lines.recv_timeout(self.patience).map(|line| words(&line)).map_err(|_| SILENCE.into())
    }

    /// Words that it has said already.
    pub fn heard(&mut self, within: Duration) -> Option<Vec<String>> {
        self.lines.recv_timeout(within).map(|line| words(&line)).ok()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
