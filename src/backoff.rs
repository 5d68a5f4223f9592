//! How long to wait before the next attempt. Randomness and time are given to it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No reconnection time is longer, whatever a server or a caller says.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// No `Retry-After` counts for more.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// What the waits double from, at least, once an attempt has failed: a reconnection time of 0 must not become a hot loop.
const LEAST_BASE: Duration = Duration::from_millis(100);

/// Counts failures and turns them into waits.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    failures: u32,
    first: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { failures: 0, first: first.min(LONGEST), max: max.min(LONGEST) }
    }

    /// The server's `retry:`. Lasts until it is changed again.
    pub(crate) fn set_first(&mut self, first: Duration) {
        self.first = first.min(LONGEST);
    }

    /// Failures since the last reset: the n of the next wait.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// A failure whose wait somebody else has chosen.
    pub(crate) fn count(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Wait n, in whole milliseconds, and counts the failure. `random` is from 0 up to 1.
    pub(crate) fn next(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        let base = if self.failures == 0 { self.first } else { self.first.max(LEAST_BASE) };
        // 2^20 times 100 ms is more than a day: doubling further changes nothing and would overflow.
        let doubled = base * (1 << self.failures.min(20));
        let wait = self.first.max(doubled.min(self.max)).max(retry_after.unwrap_or_default());
        self.count();
        let ms = wait.as_nanos().div_ceil(1_000_000) as u64;
        Duration::from_millis(ms + (ms as f64 * 0.2 * random.clamp(0.0, 1.0)) as u64)
    }
}

/// What a `Retry-After` header asks for, at most an hour: seconds, or until a date, which may be past.
/// None if it is neither.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too long to count is more than an hour as well.
        value.parse().unwrap_or(u64::MAX)
    } else {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        http_date(value, now)?.saturating_sub(now)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// Seconds since 1970 of the three forms of RFC 9110 section 5.6.7. Dates before 1970 are 0.
fn http_date(text: &str, now: u64) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match words[..] {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [_, day, month, year, time, "GMT"] => (day, month, number(year, 4)?, time),
        // Sunday, 06-Nov-94 08:49:37 GMT
        [_, date, time, "GMT"] => {
            let mut parts = date.split('-');
            let (day, month, year) = (parts.next()?, parts.next()?, number(parts.next()?, 2)?);
            if parts.next().is_some() {
                return None;
            }
            (day, month, full_year(year, now), time)
        }
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => (day, month, number(year, 4)?, time),
        _ => return None,
    };
    let day = number(day, day.len().clamp(1, 2))?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)? as i64 + 1;
    let mut parts = time.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    // 60 is a leap second.
    if parts.next().is_some() || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds.max(0) as u64)
}

/// A number of exactly that many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The year with these two last digits that lies at most 50 years ahead (RFC 9110) and less than 50 back.
fn full_year(two_digits: i64, now: u64) -> i64 {
    let earliest = 1970 + (now / 31_556_952) as i64 - 49;
    earliest + (two_digits - earliest).rem_euclid(100)
}

/// The proleptic Gregorian calendar, counted in years that begin in March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let year = year.rem_euclid(400);
    // 153 days are five months of 31, 30, 31, 30, 31; 719 468 days lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn waits(mut backoff: Backoff, count: usize, random: f64) -> Vec<u64> {
        (0..count).map(|_| backoff.next(None, random).as_millis() as u64).collect()
    }

    #[test]
    fn doubles_from_first_to_max() {
        let backoff = Backoff::new(ms(1_000), ms(30_000));
        assert_eq!(waits(backoff.clone(), 7, 0.0), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(waits(backoff.clone(), 3, 0.5), [1_100, 2_200, 4_400]);
        // row 37
        assert_eq!(waits(backoff, 2, 0.999_999), [1_199, 2_399]);
    }

    #[test]
    fn the_base_is_100_ms_from_the_second_failure_on() {
        assert_eq!(waits(Backoff::new(ms(0), ms(1_000)), 5, 0.9), [0, 236, 472, 944, 1_180]);
        assert_eq!(waits(Backoff::new(ms(40), ms(150)), 3, 0.0), [40, 150, 150]);
        assert_eq!(waits(Backoff::new(ms(0), ms(0)), 3, 0.9), [0, 0, 0]);
    }

    #[test]
    fn a_max_below_first_counts_as_first() {
        assert_eq!(waits(Backoff::new(ms(5_000), ms(10)), 3, 0.0), [5_000, 5_000, 5_000]);
    }

    #[test]
    fn whole_milliseconds_never_below_first() {
        assert_eq!(waits(Backoff::new(Duration::from_micros(1_500), ms(2)), 2, 0.0), [2, 2]);
    }

    // row 41
    #[test]
    fn set_first_lasts_and_keeps_the_count() {
        let mut backoff = Backoff::new(ms(1_000), ms(30_000));
        backoff.next(None, 0.0);
        backoff.set_first(ms(10));
        assert_eq!(backoff.failures(), 1);
        assert_eq!(waits(backoff.clone(), 3, 0.0), [200, 400, 800]);
        backoff.set_first(ms(60_000));
        assert_eq!(waits(backoff.clone(), 2, 0.0), [60_000, 60_000]);
        // row 72
        backoff.set_first(Duration::MAX);
        assert_eq!(waits(backoff.clone(), 1, 0.0), [86_400_000]);
        assert_eq!(waits(backoff, 1, 1.0), [103_680_000]);
    }

    #[test]
    fn counts_and_resets() {
        let mut backoff = Backoff::new(ms(1_000), ms(30_000));
        assert_eq!(backoff.failures(), 0);
        backoff.count();
        backoff.count();
        assert_eq!((backoff.failures(), backoff.next(None, 0.0)), (2, ms(4_000)));
        assert_eq!(backoff.failures(), 3);
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.next(None, 0.0)), (0, ms(1_000)));
    }

    #[test]
    fn never_overflows() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.next(Some(ms(1)), 1.0), ms(103_680_000));
        assert_eq!(backoff.failures(), u32::MAX);
        let mut backoff = Backoff::new(ms(0), Duration::MAX);
        backoff.failures = 1_000;
        assert_eq!(backoff.next(None, 0.0), LONGEST);
        assert_eq!(backoff.next(None, f64::NAN), LONGEST);
    }

    #[test]
    fn retry_after_lengthens_only() {
        let mut backoff = Backoff::new(ms(1_000), ms(30_000));
        assert_eq!(backoff.next(Some(ms(60_000)), 0.1), ms(61_200));
        assert_eq!(backoff.next(Some(ms(1)), 0.0), ms(2_000));
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// What `value` asks for at 1994-11-06 08:49:07 UTC, in seconds.
    fn asks(value: &str) -> Option<u64> {
        retry_after(value, at(784_111_747)).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_in_seconds() {
        let table = [("0", 0), ("1", 1), (" 120\t", 120), ("007", 7), ("3600", 3_600), ("3601", 3_600)];
        for (value, want) in table {
            assert_eq!(asks(value), Some(want), "{value:?}");
        }
        assert_eq!(asks("99999999999999999999999999"), Some(3_600));
        for value in ["", " ", "-1", "+1", "1.5", "1e3", "0x10", "12 s", "\u{661}", "soon"] {
            assert_eq!(asks(value), None, "{value:?}");
        }
    }

    #[test]
    fn retry_after_as_a_date_in_all_three_forms() {
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
            ("Sun Nov  6 08:49:37 1994", 30),
            ("Sun, 06 Nov 1994 08:49:07 GMT", 0),
            ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
            ("Sun, 06 Nov 1994 09:00:00 GMT", 653),
            ("Sun, 06 Nov 1994 08:59:60 GMT", 653),
            ("Mon, 07 Nov 1994 00:00:00 GMT", 3_600),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 3_600),
            ("Thu, 01 Jan 0001 00:00:00 GMT", 0),
            ("Saturday, 06-Nov-44 08:49:37 GMT", 3_600), // 2044
            ("Saturday, 06-Nov-45 08:49:37 GMT", 0),     // 1945
        ];
        for (value, want) in table {
            assert_eq!(asks(value), Some(want), "{value:?}");
        }
        for value in [
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(asks(value), None, "{value:?}");
        }
    }

    #[test]
    fn days_agree_with_known_dates() {
        let table = [
            ((1970, 1, 1), 0),
            ((1970, 3, 1), 59),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2024, 2, 29), 19_782),
            ((2038, 1, 19), 24_855),
            ((2100, 3, 1), 47_541),
        ];
        for ((year, month, day), want) in table {
            assert_eq!(days_since_1970(year, month, day), want, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn a_clock_before_1970_is_no_trouble() {
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:30 GMT", before), Some(Duration::from_secs(30)));
    }
}
