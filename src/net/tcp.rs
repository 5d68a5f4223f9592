//! One connection to a host of several addresses: RFC 8305's race, ended at any moment by the Interrupt.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::{Deadline, Stop};
use crate::error::{ErrorKind, Failure};
use crate::interrupt::Interrupt;

/// How long one address has the field to itself (RFC 8305, "Connection Attempt Delay").
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses tried at most: a name server must not make us open sockets without end.
const ADDRESSES: usize = 16;
/// Unanswered keep-alive probes until the kernel gives the connection up, and the time between them.
#[cfg(not(windows))]
const PROBES: u32 = 4;
const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// Connects to the first of `addresses` that answers. `keepalive` is the silence after which the kernel begins to probe.
pub(crate) fn connect(
    addresses: &[SocketAddr],
    keepalive: Option<Duration>,
    deadline: Deadline,
    interrupt: &Interrupt,
) -> Result<TcpStream, Stop> {
    let stream = race(&interleave(addresses), deadline, interrupt)?;
    // None of these can fail but on a connection that is already lost, and then the first read says it better.
    let socket = SockRef::from(&stream);
    let _ = socket.set_tcp_nodelay(true);
    if let Some(idle) = keepalive {
        let _ = socket.set_tcp_keepalive(&probing(idle));
    }
    Ok(stream)
}

fn probing(idle: Duration) -> TcpKeepalive {
    // The kernels count in whole seconds.
    let keepalive = TcpKeepalive::new().with_time(idle.max(Duration::from_secs(1))).with_interval(PROBE_INTERVAL);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(PROBES);
    keepalive
}

/// IPv6 and IPv4 in turn, beginning with the family that the system prefers.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (mut preferred, mut other): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first.is_ipv6());
    let mut turns = Vec::with_capacity(addresses.len());
    preferred.reverse();
    other.reverse();
    while turns.len() < ADDRESSES && !(preferred.is_empty() && other.is_empty()) {
        turns.extend(preferred.pop());
        turns.extend(other.pop());
    }
    turns.truncate(ADDRESSES);
    turns
}

/// What a race that nobody won says: the words about the address that was tried first, which the system prefers.
struct Losses {
    first: Option<(SocketAddr, io::Error)>,
    others: usize,
}

impl Losses {
    fn new() -> Losses {
        Losses { first: None, others: 0 }
    }

    fn add(&mut self, address: SocketAddr, error: io::Error) {
        if self.first.is_none() {
            self.first = Some((address, error));
        } else {
            self.others += 1;
        }
    }

    fn tell(self) -> Stop {
        let mut kind = ErrorKind::Connect;
        let message = match self.first {
            None => "there is no address to connect to".to_owned(),
            // Only a connection that stood can be reset; it broke before anybody looked.
            Some((address, error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                kind = ErrorKind::Io;
                format!("{address} reset the connection at once")
            }
            Some((address, error)) => {
                let more = match self.others {
                    0 => String::new(),
                    1 => " (nor to 1 other address)".to_owned(),
                    n => format!(" (nor to {n} other addresses)"),
                };
                format!("cannot connect to {address}{more}: {}", super::words(&error))
            }
        };
        Stop::Failed(Failure::new(kind, message))
    }
}

#[cfg(unix)]
fn race(addresses: &[SocketAddr], deadline: Deadline, interrupt: &Interrupt) -> Result<TcpStream, Stop> {
    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, poll};
    use socket2::{Domain, Protocol, Socket, Type};
    use std::os::fd::AsFd;

    // Non-blocking, closed on exec and, on Apple, without SIGPIPE: Socket::new sees to the last two.
    fn begin(address: SocketAddr) -> io::Result<(Socket, bool)> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => Ok((socket, true)),
            Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => Ok((socket, false)),
            // Linux does not interrupt a connect that does not block; others say that it goes on.
            Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => Ok((socket, false)),
            Err(error) => Err(error),
        }
    }
    fn won(socket: Socket) -> Result<TcpStream, Stop> {
        match socket.set_nonblocking(false) {
            Ok(()) => Ok(socket.into()),
            Err(error) => Err(Stop::Failed(Failure::new(ErrorKind::Connect, super::words(&error)))),
        }
    }

    let alarm = interrupt.alarm().map_err(|error| {
        Stop::Failed(Failure::new(ErrorKind::Connect, format!("cannot connect: {}", super::words(&error))))
    })?;
    let mut losses = Losses::new();
    let mut coming = addresses.iter().copied();
    let mut running: Vec<(SocketAddr, Socket)> = Vec::new();
    let mut next = Deadline::now();
    loop {
        if interrupt.is_fired() {
            return Err(Stop::Interrupted);
        }
        if deadline.passed() {
            return Err(Stop::TimedOut);
        }
        if running.is_empty() || next.passed() {
            match coming.next() {
                None if running.is_empty() => return Err(losses.tell()),
                None => next = Deadline::never(),
                Some(address) => match begin(address) {
                    Ok((socket, true)) => return won(socket),
                    Ok((socket, false)) => {
                        running.push((address, socket));
                        next = Deadline::after(STAGGER);
                    }
                    Err(error) => {
                        losses.add(address, error);
                        continue;
                    }
                },
            }
        }
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(running.len() + 1);
        fds.push(PollFd::new(alarm.as_fd(), PollFlags::POLLIN));
        fds.extend(running.iter().map(|(_, socket)| PollFd::new(socket.as_fd(), PollFlags::POLLOUT)));
        match poll(&mut fds, next.min(deadline).poll_timeout()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Stop::Failed(Failure::new(ErrorKind::Connect, error.desc()))),
        }
        let ready: Vec<bool> = fds[1..].iter().map(|fd| fd.any() != Some(false)).collect();
        drop(fds);
        for index in (0..running.len()).rev().filter(|&index| ready[index]) {
            let (address, socket) = running.remove(index);
            match socket.take_error() {
                Ok(None) => return won(socket),
                Ok(Some(error)) | Err(error) => {
                    losses.add(address, error);
                    next = Deadline::now(); // nobody waits for an address that has refused
                }
            }
        }
    }
}

/// Without poll(2): blocking connects on threads of their own, which hand their socket over and otherwise last until
/// the system gives the address up.
#[cfg(not(unix))]
fn race(addresses: &[SocketAddr], deadline: Deadline, interrupt: &Interrupt) -> Result<TcpStream, Stop> {
    use crossbeam_channel::{select, unbounded};

    let (tell, told) = unbounded();
    let mut losses = Losses::new();
    let mut coming = addresses.iter().copied();
    let mut running = 0;
    let mut next = Deadline::now();
    loop {
        if deadline.passed() {
            return Err(Stop::TimedOut); // which a connect with that very limit says in other words
        }
        if running == 0 || next.passed() {
            match coming.next() {
                None if running == 0 => return Err(losses.tell()),
                None => next = Deadline::never(),
                Some(address) => {
                    let tell = tell.clone();
                    let limit = deadline.remaining();
                    let begun = crate::thread::spawn("eventsource-tcp", 128 * 1024, move || {
                        let result = match limit {
                            Some(limit) => TcpStream::connect_timeout(&address, limit.max(Duration::from_millis(1))),
                            None => TcpStream::connect(address),
                        };
                        let _ = tell.send((address, result));
                    });
                    match begun {
                        Ok(_) => {
                            running += 1;
                            next = Deadline::after(STAGGER);
                        }
                        Err(error) => losses.add(address, error),
                    }
                }
            }
        }
        if running == 0 {
            continue;
        }
        select! {
            recv(told) -> result => if let Ok((address, result)) = result {
                running -= 1;
                match result {
                    Ok(stream) => return Ok(stream),
                    Err(error) => {
                        losses.add(address, error);
                        next = Deadline::now();
                    }
                }
            },
            recv(interrupt.fired()) -> _ => return Err(Stop::Interrupted),
            recv(deadline.channel()) -> _ => return Err(Stop::TimedOut),
            recv(next.channel()) -> _ => {}
        }
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
