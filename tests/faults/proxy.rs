//! A network that fails by a seeded script: between client and server it cuts, resets, delays, throttles, corrupts, half-closes
//! and falls silent. Connection `n` of a seed always meets the same faults at the same bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use crate::dice::Dice;

/// What happens to a connection once it has carried so many bytes towards the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is refused: closed before a byte.
    Refuse,
    /// FIN.
    Cut,
    /// RST.
    Reset,
    /// Nothing for a while, then on as before.
    Delay,
    /// A few bytes at a time for a while, then FIN.
    Throttle,
    /// One bit is wrong (only where the layer above can tell).
    Corrupt,
    /// FIN towards the client, while its own direction stays open.
    HalfClose,
    /// Nothing ever again, and no word about it.
    Silence,
}

/// In the order of the matrix that a run prints.
pub const ALL: [Fault; 8] = [
    Fault::Refuse,
    Fault::Cut,
    Fault::Reset,
    Fault::Delay,
    Fault::Throttle,
    Fault::Corrupt,
    Fault::HalfClose,
    Fault::Silence,
];

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: SocketAddr,
    seed: u64,
    faults: Vec<Fault>,
    stop: AtomicBool,
    calm: AtomicBool,
    done: Mutex<[usize; ALL.len()]>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Proxy {
    pub fn start(upstream: SocketAddr, seed: u64, faults: &[Fault]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            seed,
            faults: faults.to_vec(),
            stop: AtomicBool::new(false),
            calm: AtomicBool::new(false),
            done: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        });
        let for_acceptor = shared.clone();
        let acceptor = std::thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                if for_acceptor.stop.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(client), shared) = (client, for_acceptor.clone()) else { continue };
                std::thread::spawn(move || shared.carry(number as u64, &client));
            }
        });
        Proxy { address, shared, acceptor: Some(acceptor) }
    }

    /// From the next connection on, no more faults.
    pub fn calm(&self) {
        self.shared.calm.store(true, Ordering::SeqCst);
    }

    /// How often each fault has happened.
    pub fn tally(&self) -> [usize; ALL.len()] {
        *self.shared.done.lock().unwrap()
    }

    pub fn faults(&self) -> usize {
        self.tally().iter().sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.acceptor.take().unwrap().join();
    }
}

impl Shared {
    fn carry(&self, number: u64, client: &TcpStream) {
        let mut dice = Dice::new(self.seed ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let fault = self.faults[dice.roll(self.faults.len() as u64) as usize];
        // Most faults hit after a few events; some inside a response's head or a handshake.
        let mut after = if dice.roll(4) == 0 { dice.roll(400) } else { 200 + dice.roll(6000) } as usize;
        let fault = (!self.calm.load(Ordering::SeqCst)).then_some(fault);
        if fault == Some(Fault::Refuse) {
            self.count(Fault::Refuse);
            return;
        }
        let Ok(server) = TcpStream::connect(self.upstream) else { return };
        self.most_open.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        std::thread::scope(|scope| {
            // Upwards everything passes; either end takes the other along.
            scope.spawn(|| {
                let _ = std::io::copy(&mut &*client, &mut &server);
                let _ = server.shutdown(Shutdown::Both);
            });
            let mut buffer = [0; 2048];
            let mut next = fault;
            loop {
                let n = match (&server).read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => n,
                };
                let mut bytes = &mut buffer[..n];
                if let Some(fault) = next.filter(|_| after < n) {
                    let (before, rest) = bytes.split_at_mut(after);
                    if (&mut &*client).write_all(before).is_err() || self.happen(fault, &mut dice, client, rest) {
                        break;
                    }
                    bytes = rest;
                    // What was only delayed ends some time later.
                    (next, after) = (Some(Fault::Cut), dice.roll(6000) as usize);
                } else {
                    after = after.saturating_sub(n);
                }
                if (&mut &*client).write_all(bytes).is_err() {
                    break;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
        });
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// The fault itself. Whether the connection is over.
    fn happen(&self, fault: Fault, dice: &mut Dice, mut client: &TcpStream, rest: &mut [u8]) -> bool {
        self.count(fault);
        match fault {
            Fault::Refuse | Fault::Cut => true,
            Fault::Reset => {
                let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
                true
            }
            Fault::Delay => {
                std::thread::sleep(Duration::from_millis(dice.roll(20)));
                false
            }
            Fault::Throttle => {
                for byte in rest.chunks(3).take(40) {
                    if client.write_all(byte).is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
                true
            }
            Fault::Corrupt => {
                let at = dice.roll(rest.len() as u64) as usize;
                rest[at] ^= 1 << dice.roll(8);
                false
            }
            Fault::HalfClose => {
                let _ = client.shutdown(Shutdown::Write);
                self.until_it_goes(client);
                true
            }
            Fault::Silence => {
                self.until_it_goes(client);
                true
            }
        }
    }

    /// Holds the connection until the client has had enough of it.
    fn until_it_goes(&self, client: &TcpStream) {
        let _ = client.set_read_timeout(Some(Duration::from_millis(50)));
        let mut byte = [0];
        while !self.stop.load(Ordering::SeqCst) {
            match client.peek(&mut byte) {
                Ok(0) => break,
                Ok(_) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
        }
    }

    fn count(&self, fault: Fault) {
        let index = ALL.iter().position(|other| *other == fault).unwrap();
        self.done.lock().unwrap()[index] += 1;
    }
}
