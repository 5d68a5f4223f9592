//! Callbacks, on the library's thread or on the caller's: the loop that both share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{in_callback, job, machine_and_worker};
use crate::event::{Event, Kind};
use crate::handle::Handle;
use crate::source::{Source, Step};
use crate::work::Work;

type Callback = Box<dyn FnMut(&Event<'_>) + Send>;

/// One callback and the events that it wants.
pub(super) struct Registration {
    kind: Option<Kind>,
    event_type: Option<Box<str>>,
    callback: Owned<Callback>,
}

/// Something of the caller's that is dropped as a callback of the library: its destructor may call the library, too.
pub(super) struct Owned<T>(Option<T>);

impl<T> Owned<T> {
    pub(super) fn new(inner: T) -> Owned<T> {
        Owned(Some(inner))
    }

    /// Calls into it, inside of `in_callback`. A panic of the caller's code stays there, and gives None.
    #[inline(always)]
    pub(super) fn call<R>(&mut self, call: impl FnOnce(&mut T) -> R) -> Option<R> {
        let inner = self.0.as_mut()?;
        catch(|| call(inner))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        let inner = self.0.take();
        in_callback(|| catch(|| drop(inner)));
    }
}

#[inline(always)]
fn catch<R>(call: impl FnOnce() -> R) -> Option<R> {
    #[cold]
    fn report() {
        log::error!("a callback panicked; the stream goes on");
    }
    let done = catch_unwind(AssertUnwindSafe(call));
    if done.is_err() {
        report();
    }
    done.ok()
}

impl Registration {
    pub(super) fn new(
        kind: Option<Kind>,
        event_type: Option<&str>,
        callback: impl FnMut(&Event<'_>) + Send + 'static,
    ) -> Registration {
        let callback: Callback = Box::new(callback);
        Registration { kind, event_type: event_type.map(Box::from), callback: Owned::new(callback) }
    }

    #[inline(always)]
    fn wants(&self, event: &Event<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == event.kind)
            && self.event_type.as_ref().is_none_or(|wanted| wanted.as_bytes() == event.event_type.as_bytes())
    }
}

/// Delivers until CLOSE, then lets the callbacks go in their order.
pub(super) fn deliver(handle: &Handle, mut registrations: Vec<Registration>) {
    let mut both = machine_and_worker(handle);
    let (machine, worker) = &mut *both;
    while let Some((epoch, work)) = hand_out(machine, handle, &mut registrations) {
        let job = job(machine, work);
        let outcome = worker.perform(epoch, job);
        machine.complete(epoch, outcome);
    }
    drop(both);
    // One by one and in order, which dropping the whole does not promise as loudly.
    for registration in registrations {
        drop(registration);
    }
}

/// Hands out every event that there is, up to the next work; None after CLOSE. A function of its own, so that its frame
/// does not lie under the work's. All of it counts as a callback, which is cheaper than to count each event.
#[inline(never)]
fn hand_out(machine: &mut Source, handle: &Handle, registrations: &mut [Registration]) -> Option<(u64, Work)> {
    in_callback(|| {
        loop {
            match machine.step() {
                Step::Event => {
                    let event = machine.event();
                    for registration in &mut *registrations {
                        if !registration.wants(&event) {
                            continue;
                        }
                        // After close nothing but CLOSE follows, the remaining callbacks of the same event included.
                        if handle.control.is_closed() && event.kind != Kind::Close {
                            break;
                        }
                        registration.callback.call(|callback| callback(&event));
                    }
                }
                Step::Work => return Some(machine.work()),
                Step::Closed => return None,
            }
        }
    })
}
