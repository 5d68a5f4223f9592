#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use eventsource_test_server::BlackHole;
use std::net::TcpListener;
use std::time::Instant;

const LONG: Duration = Duration::from_secs(60);

fn soon() -> Deadline {
    Deadline::after(LONG)
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// An address that refuses for as long as the socket lives: bound without listening, so that nobody else gets the port.
fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&local().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn failure(stop: Stop) -> Failure {
    match stop {
        Stop::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn families_take_turns_beginning_with_the_preferred_one() {
    let [a6, b6, c6]: [SocketAddr; 3] = ["[::1]:1", "[::2]:1", "[::3]:1"].map(|a| a.parse().unwrap());
    let [a4, b4]: [SocketAddr; 2] = ["1.0.0.1:1", "1.0.0.2:1"].map(|a| a.parse().unwrap());
    assert_eq!(interleave(&[a6, b6, c6, a4, b4]), [a6, a4, b6, b4, c6]);
    assert_eq!(interleave(&[a4, a6, b6]), [a4, a6, b6]);
    assert_eq!(interleave(&[a4, b4]), [a4, b4]);
    assert_eq!(interleave(&[]), []);
    assert_eq!(interleave(&[a6; 40]).len(), ADDRESSES);
}

#[test]
fn connects_and_sets_the_socket_up() {
    let listener = TcpListener::bind(local()).unwrap();
    let idle = Duration::from_secs(77);
    let stream = connect(&[listener.local_addr().unwrap()], Some(idle), soon(), &Interrupt::new()).unwrap();
    let socket = SockRef::from(&stream);
    assert!(stream.nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), idle);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
    }
    #[cfg(unix)]
    {
        use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
        assert!(!OFlag::from_bits_truncate(fcntl(&stream, FcntlArg::F_GETFL).unwrap()).contains(OFlag::O_NONBLOCK));
        let flags = FdFlag::from_bits_truncate(fcntl(&stream, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
    }
    let stream = connect(&[listener.local_addr().unwrap()], None, soon(), &Interrupt::new()).unwrap();
    assert!(!SockRef::from(&stream).keepalive().unwrap());
}

#[test]
fn who_refuses_is_passed_over_at_once() {
    let refusing: Vec<_> = (0..15).map(|_| refusing()).collect();
    let listener = TcpListener::bind(local()).unwrap();
    let good = listener.local_addr().unwrap();
    let all: Vec<_> = refusing.iter().map(|(_, address)| *address).chain([good]).collect();
    let begun = Instant::now();
    let stream = connect(&all, None, soon(), &Interrupt::new()).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good);
    assert!(begun.elapsed() < 15 * STAGGER, "it waited for those who had refused");
}

#[test]
fn who_does_not_answer_is_overtaken() {
    let hole = BlackHole::start_on((std::net::Ipv6Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(local()).unwrap();
    let good = listener.local_addr().unwrap();
    let begun = Instant::now();
    let stream = connect(&[hole.address(), good], None, soon(), &Interrupt::new()).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good);
    assert!(begun.elapsed() >= STAGGER, "the first address did not have its head start");
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_race_without_a_winner_says_why() {
    let ((_a, first), (_b, second), (_c, third)) = (refusing(), refusing(), refusing());
    let why = failure(connect(&[first], None, soon(), &Interrupt::new()).unwrap_err());
    assert_eq!(why.kind, ErrorKind::Connect);
    assert_eq!(why.message, format!("cannot connect to {first}: Connection refused"));
    let why = failure(connect(&[first, second, third], None, soon(), &Interrupt::new()).unwrap_err());
    let message = format!("cannot connect to {first} (nor to 2 other addresses): Connection refused");
    assert_eq!(why.message, message);
    assert_eq!(failure(connect(&[], None, soon(), &Interrupt::new()).unwrap_err()).kind, ErrorKind::Connect);
}

#[test]
fn a_reset_before_anybody_looked_was_of_a_connection_that_stood() {
    let mut losses = Losses::new();
    losses.add(local(), io::ErrorKind::ConnectionReset.into());
    losses.add(local(), io::ErrorKind::ConnectionRefused.into());
    let why = failure(losses.tell());
    assert_eq!((why.kind, &*why.message), (ErrorKind::Io, "127.0.0.1:0 reset the connection at once"));
}

#[test]
fn a_connect_that_hangs_ends_with_the_interrupt_and_with_the_deadline() {
    let hole = BlackHole::start();
    let interrupt = Interrupt::new();
    let stop = connect(&[hole.address()], None, Deadline::after(Duration::from_millis(20)), &interrupt);
    assert!(matches!(stop, Err(Stop::TimedOut)));
    std::thread::scope(|scope| {
        let connecting = scope.spawn(|| connect(&[hole.address()], None, Deadline::never(), &interrupt));
        std::thread::sleep(Duration::from_millis(20)); // so that it is likely in poll; right either way
        interrupt.fire();
        assert!(matches!(connecting.join().unwrap(), Err(Stop::Interrupted)));
    });
    assert!(matches!(connect(&[hole.address()], None, soon(), &interrupt), Err(Stop::Interrupted)));
}
