//! Names to addresses, through libc on helper threads, because libc cannot be told to stop.
//!
//! The helpers are shared by the whole process: a name that is being looked up is not looked up a second time but on a
//! network that has changed since, and there are never more than 16 of them. They are the only threads of the library
//! that may outlive a source.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::{Deadline, Stop};
use crate::error::{ErrorKind, Failure};
use crate::interrupt::Interrupt;
use crate::thread;

/// Helpers at once. A seventeenth name waits until one of them is done.
const HELPERS: usize = 16;
/// Lookups of one name at once: the network may change again while the first still hangs, but not take all helpers along.
const LOOKUPS_OF_A_NAME: usize = 3;
/// getaddrinfo uses 17 KiB of it in glibc; other resolvers, with their plug-ins, more.
const STACK: usize = 256 * 1024;

/// The addresses of a host in the order of the system's preference (with port 0), or the system's words for why not.
type Answer = Result<Vec<SocketAddr>, String>;
type Resolve = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The lookups in flight.
pub(crate) struct Lookups {
    resolve: Box<Resolve>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// By host, the newest last. A lookup is removed with its answer: nothing is cached here, the system has caches of its
    /// own.
    pending: HashMap<String, Vec<Lookup>>,
    /// Lookups that wait for a helper, in order of arrival.
    queue: VecDeque<(String, u64)>,
    helpers: usize,
    /// For lookups and for those who wait for them.
    next_number: u64,
}

struct Lookup {
    number: u64,
    /// When a helper began it; None: it waits for one.
    begun: Option<Instant>,
    waiting: Vec<(u64, Sender<Answer>)>,
}

impl Lookups {
    /// The process's table, asking libc.
    pub(crate) fn shared() -> Arc<Lookups> {
        static SHARED: LazyLock<Arc<Lookups>> = LazyLock::new(|| Lookups::with(system));
        SHARED.clone()
    }

    /// A table of its own that asks `resolve`.
    pub(crate) fn with(resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Arc<Lookups> {
        Arc::new(Lookups { resolve: Box::new(resolve), table: Mutex::default() })
    }

    /// The addresses of `host`, which may be a name, or an IP address without brackets and perhaps with a zone. What was
    /// asked before `since` was asked on another network.
    pub(crate) fn look_up(
        self: &Arc<Lookups>,
        (host, port): (&str, u16),
        since: Option<Instant>,
        deadline: Deadline,
        interrupt: &Interrupt,
    ) -> Result<Vec<SocketAddr>, Stop> {
        let answer = match literal(host) {
            Some(answer) => answer,
            None => self.ask(host, since, deadline, interrupt)?,
        };
        match answer {
            Ok(addresses) if addresses.is_empty() => Err(failed(host, "it has no address")),
            Ok(mut addresses) => {
                addresses.iter_mut().for_each(|address| address.set_port(port));
                Ok(addresses)
            }
            Err(words) => Err(failed(host, &words)),
        }
    }

    fn ask(
        self: &Arc<Lookups>,
        host: &str,
        since: Option<Instant>,
        deadline: Deadline,
        interrupt: &Interrupt,
    ) -> Result<Answer, Stop> {
        let (ticket, answered) = self.join(host, since).map_err(|error| failed(host, &error.to_string()))?;
        let _leave = Leave { lookups: self, host, ticket };
        select! {
            recv(answered) -> answer => Ok(answer.unwrap_or_else(|_| Err("the lookup was abandoned".to_owned()))),
            recv(interrupt.fired()) -> _ => Err(Stop::Interrupted),
            recv(deadline.channel()) -> _ => Err(Stop::TimedOut),
        }
    }

    /// Waits for the lookup of `host` that is in flight, or begins one.
    fn join(self: &Arc<Lookups>, host: &str, since: Option<Instant>) -> io::Result<(u64, Receiver<Answer>)> {
        let (tell, told) = bounded(1);
        let mut table = self.table();
        table.next_number += 1;
        let number = table.next_number;
        if let Some(lookups) = table.pending.get_mut(host) {
            let is_full = lookups.len() >= LOOKUPS_OF_A_NAME;
            if let Some(newest) = lookups.last_mut().filter(|newest| is_full || newest.is_good(since)) {
                newest.waiting.push((number, tell));
                return Ok((number, told));
            }
        }
        let mut lookup = Lookup { number, begun: None, waiting: vec![(number, tell)] };
        if table.helpers < HELPERS {
            let lookups = self.clone();
            let name = host.to_owned();
            // Before it can have asked: a call that comes in between wants another lookup.
            lookup.begun = Some(Instant::now());
            // Under the lock: the helper's answer cannot come before its entry is there.
            thread::spawn("eventsource-dns", STACK, move || lookups.help(name, number))?;
            table.helpers += 1;
        } else {
            table.queue.push_back((host.to_owned(), number));
        }
        table.pending.entry(host.to_owned()).or_default().push(lookup);
        Ok((number, told))
    }

    /// A helper's life: its first lookup, then those that had to wait.
    fn help(&self, mut host: String, mut number: u64) {
        loop {
            let asked = std::panic::AssertUnwindSafe(|| (self.resolve)(&host));
            let answer = match std::panic::catch_unwind(asked) {
                Ok(answer) => answer.map_err(|error| words(&error)),
                Err(_) => Err("the lookup failed".to_owned()),
            };
            let mut table = self.table();
            for (_, tell) in table.remove(&host, number).map_or_else(Vec::new, |lookup| lookup.waiting) {
                let _ = tell.try_send(answer.clone()); // room for one; an error means that nobody waits any more
            }
            let Some(next) = table.queue.pop_front() else {
                table.helpers -= 1;
                return;
            };
            (host, number) = next;
            let lookups = table.pending.get_mut(&host).into_iter().flatten();
            for lookup in lookups.filter(|lookup| lookup.number == number) {
                lookup.begun = Some(Instant::now());
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a waiter out of the table however its wait ends, and its name out of the queue if nobody wants it any more.
struct Leave<'a> {
    lookups: &'a Lookups,
    host: &'a str,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut table = self.lookups.table();
        let mut unwanted = None;
        for lookup in table.pending.get_mut(self.host).into_iter().flatten() {
            let before = lookup.waiting.len();
            lookup.waiting.retain(|(ticket, _)| *ticket != self.ticket);
            if lookup.waiting.len() < before && lookup.waiting.is_empty() && lookup.begun.is_none() {
                unwanted = Some(lookup.number);
            }
        }
        if let Some(number) = unwanted {
            table.remove(self.host, number);
            table.queue.retain(|(_, queued)| *queued != number);
        }
    }
}

impl Table {
    fn remove(&mut self, host: &str, number: u64) -> Option<Lookup> {
        let lookups = self.pending.get_mut(host)?;
        let lookup = lookups.iter().position(|lookup| lookup.number == number).map(|at| lookups.remove(at));
        if lookups.is_empty() {
            self.pending.remove(host);
        }
        lookup
    }
}

impl Lookup {
    /// Whether it asks, or will ask, the network that there is since then.
    fn is_good(&self, since: Option<Instant>) -> bool {
        self.begun.zip(since).is_none_or(|(begun, since)| begun >= since)
    }
}

/// Addresses are not looked up. One with a zone goes to libc all the same, which knows the interfaces' numbers and
/// asks nobody for it.
fn literal(host: &str) -> Option<Answer> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(Ok(vec![SocketAddr::new(address, 0)]));
    }
    let (address, zone) = host.split_once('%')?;
    let address = address.parse::<std::net::Ipv6Addr>().ok()?;
    Some(match zone.parse::<u32>() {
        Ok(scope) => Ok(vec![std::net::SocketAddrV6::new(address, 0, 0, scope).into()]),
        Err(_) => system(host).map_err(|error| words(&error)),
    })
}

/// getaddrinfo: the hosts file, mDNS, NAT64 and whatever else the system knows.
fn system(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}

/// libc's own words, without what the standard library says before them.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

fn failed(host: &str, why: &str) -> Stop {
    Stop::Failed(Failure::new(ErrorKind::Dns, format!("cannot look up {host}: {why}")))
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
