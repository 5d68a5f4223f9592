//! Time and randomness, handed to whatever waits so that its tests are exact and take no time.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

/// Where a source takes its time and its randomness from. The library's own is `SystemClock`; tests bring theirs.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, on a clock that never goes back.
    fn now(&self) -> Instant;
    /// Now, by the calendar: for `Retry-After` dates.
    fn calendar(&self) -> SystemTime;
    /// A number from 0 up to, but not including, 1.
    fn random(&self) -> f64;
    /// How long a thread has to sleep for `span` to pass on this clock.
    fn sleep_for(&self, span: Duration) -> Duration {
        span
    }
}
