//! What a hostile server costs: memory while it talks, and the processor once it is silent.

use std::cell::Cell;
use std::sync::{RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

/// Held for writing while memory is measured, which is the whole process's.
static QUIET: RwLock<()> = RwLock::new(());

thread_local! {
    static MEASURING: Cell<bool> = const { Cell::new(false) };
}

/// Resident memory that the process gains while `body` runs, at its highest.
#[cfg(target_os = "linux")]
pub(crate) fn peak_growth(body: impl FnOnce()) -> usize {
    use std::sync::atomic::{AtomicBool, Ordering};
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
    let _alone = QUIET.write();
    MEASURING.set(true);
    let (before, stop) = (resident(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !stop.load(Ordering::Relaxed) {
                peak = peak.max(resident());
                std::thread::sleep(Duration::from_millis(1));
            }
            peak
        });
        body();
        stop.store(true, Ordering::Relaxed);
        MEASURING.set(false);
        watcher.join().unwrap().saturating_sub(before)
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn peak_growth(body: impl FnOnce()) -> usize {
    body();
    0
}

/// For as long as it is held, nobody measures memory but this thread.
pub(crate) fn alone() -> Option<RwLockReadGuard<'static, ()>> {
    (!MEASURING.get()).then(|| QUIET.read().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// How often a thread has been put to sleep or out of the processor, and the time that it has had there, in ticks.
#[cfg(target_os = "linux")]
fn work_of(task: &str) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/self/task/{task}/status")).ok()?;
    let count = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let switches = count("voluntary_ctxt_switches:")? + count("nonvoluntary_ctxt_switches:")?;
    let stat = std::fs::read_to_string(format!("/proc/self/task/{task}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit(") ").next()?.split(' ').collect();
    Some((switches, fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?))
}

/// This thread, for `assert_at_rest`.
#[cfg(target_os = "linux")]
pub(crate) fn this_task() -> String {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Waits until that thread sleeps, or has ended; one that keeps waking or working fails the test.
#[cfg(target_os = "linux")]
pub(crate) fn assert_at_rest(task: &str, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let Some(before) = work_of(task) else { return };
        std::thread::sleep(Duration::from_millis(200));
        if work_of(task).is_none_or(|after| after == before) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: the worker keeps working");
    }
}
