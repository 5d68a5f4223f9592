//! The one place that makes threads: named, of a known stack size, and out of the way of the host program's signals.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Runs `body` on a new thread that blocks every signal a process can be sent.
///
/// The mask is set before the thread exists, so there is no moment at which a signal meant for the program could land
/// on a thread of ours. Faults of the thread itself (SIGSEGV and its like) stay open: blocked, they would kill the
/// process past its crash reporter, past Rust's message on a stack overflow and past a virtual machine's null checks.
pub(crate) fn spawn(name: &str, stack: usize, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let builder = Builder::new().name(name.to_owned()).stack_size(stack);
    let _quiet = Quiet::new()?;
    builder.spawn(body)
}

/// The calling thread's signals, blocked until this is dropped.
#[cfg(unix)]
struct Quiet(nix::sys::signal::SigSet);

#[cfg(unix)]
impl Quiet {
    fn new() -> io::Result<Quiet> {
        use nix::sys::signal::{SigSet, SigmaskHow, Signal};
        let mut all = SigSet::all();
        for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP, Signal::SIGSYS]
        {
            all.remove(fault);
        }
        Ok(Quiet(all.thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        // Cannot fail: the mask is one the system gave us.
        let _ = self.0.thread_set_mask();
    }
}

#[cfg(not(unix))]
struct Quiet;

#[cfg(not(unix))]
impl Quiet {
    fn new() -> io::Result<Quiet> {
        Ok(Quiet)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_thread_has_its_name_and_a_stack() {
        let (tell, told) = mpsc::channel();
        let thread = spawn("eventsource-test", 256 * 1024, move || {
            tell.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
        thread.unwrap().join().unwrap();
        assert_eq!(told.recv().unwrap().as_deref(), Some("eventsource-test"));
    }

    #[test]
    fn a_refused_thread_is_an_error() {
        assert!(spawn("eventsource-test", isize::MAX as usize, || {}).is_err());
    }

    #[test]
    #[cfg(unix)]
    fn threads_block_signals_and_the_caller_keeps_its_own() {
        use nix::sys::signal::{SigSet, Signal};
        let before = SigSet::thread_get_mask().unwrap();
        let (tell, told) = mpsc::channel();
        let thread = spawn("eventsource-test", 256 * 1024, move || tell.send(SigSet::thread_get_mask()).unwrap());
        thread.unwrap().join().unwrap();
        let inside = told.recv().unwrap().unwrap();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD, Signal::SIGPIPE, Signal::SIGUSR1] {
            assert!(inside.contains(signal), "{signal} could land on a thread of the library");
        }
        assert!(!inside.contains(Signal::SIGSEGV), "a stack overflow would kill without a word");
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    }
}
