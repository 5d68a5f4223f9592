//! Time and randomness, handed to whatever waits so that its tests are exact and take no time.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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

/// The machine's clocks, and randomness good enough to keep clients from reconnecting in step.
#[derive(Debug)]
pub(crate) struct SystemClock {
    seed: AtomicU64,
}

impl SystemClock {
    pub(crate) fn new() -> SystemClock {
        // The standard library seeds its hash maps from the operating system: no dependency needed for that.
        SystemClock { seed: AtomicU64::new(RandomState::new().build_hasher().finish()) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn calendar(&self) -> SystemTime {
        SystemTime::now()
    }

    fn random(&self) -> f64 {
        // SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer, so one atomic addition is all the state it needs.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.seed.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 53 bits are what a double holds exactly: the result is always below 1.
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_is_in_range_spread_and_different_for_each_clock() {
        let clock = SystemClock::new();
        let drawn: Vec<f64> = (0..4_000).map(|_| clock.random()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        // Each tenth of the range gets 400; below 250 is 8 standard deviations away.
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let count = drawn.iter().filter(|number| (from..from + 0.1).contains(*number)).count();
            assert!(count > 250, "{count} in the tenth from {from}");
        }
        let other = SystemClock::new();
        assert_ne!(drawn[..4], [(); 4].map(|()| other.random()));
    }

    #[test]
    fn splitmix_as_published() {
        // The first outputs for the seed 1234567, as Vigna's splitmix64.c gives them.
        let clock = SystemClock { seed: AtomicU64::new(1_234_567) };
        for want in [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423] {
            assert_eq!(clock.random(), (want >> 11) as f64 / (1u64 << 53) as f64);
        }
    }

    #[test]
    fn time_is_the_systems() {
        let clock = SystemClock::new();
        assert!(clock.now() <= Instant::now());
        assert!(clock.calendar() <= SystemTime::now());
        assert_eq!(clock.sleep_for(Duration::from_secs(3)), Duration::from_secs(3));
    }
}
