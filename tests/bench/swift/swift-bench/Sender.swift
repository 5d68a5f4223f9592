// The other end: one connection on loopback, written to as fast as it takes it, or an event at a time.

import Foundation

#if canImport(Darwin)
  private let streamSocket = SOCK_STREAM
  private let noSignal: Int32 = 0
#else
  private let streamSocket = Int32(SOCK_STREAM.rawValue)
  private let noSignal = Int32(MSG_NOSIGNAL)
#endif

final class Sender: @unchecked Sendable {
  let url: URL
  private let listener: Int32
  private let over = DispatchSemaphore(value: 0)
  private var cpu = 0.0

  /// Sends `count` events with `size` bytes of data each, then waits for the peer to go.
  /// With a pause: one event at a time, each with the time it was sent at.
  init(count: Int, size: Int, pause: Duration? = nil) {
    listener = socket(AF_INET, streamSocket, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listening = listener
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(listening, $0, length) == 0 && listen(listening, 1) == 0)
        precondition(getsockname(listening, $0, &length) == 0)
      }
    }
    guard let url = URL(string: "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/") else {
      fatalError("no URL")
    }
    self.url = url
    Thread.detachNewThread { [self] in
      let peer = accept(listener, nil, nil)
      close(listener)
      var request = [UInt8](repeating: 0, count: 4096)
      _ = recv(peer, &request, request.count, 0)
      send(Data("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n".utf8), to: peer)
      if let pause {
        for _ in 0..<count {
          usleep(UInt32(pause.components.attoseconds / 1_000_000_000_000))
          send(Data("data: \(monotonic())\n\n".utf8), to: peer)
        }
      } else {
        let event = Data(("data: " + String(repeating: "x", count: size) + "\n\n").utf8)
        let block = max(1, 64 * 1024 / event.count)
        var burst = Data()
        for _ in 0..<block { burst += event }
        for _ in 0..<(count / block) { send(burst, to: peer) }
        send(burst.prefix(event.count * (count % block)), to: peer)
      }
      cpu = cpuTime(CLOCK_THREAD_CPUTIME_ID)
      over.signal()
      while recv(peer, &request, request.count, 0) > 0 {}
      close(peer)
    }
  }

  /// The CPU time that sending took.
  func cpuSpent() -> Double {
    over.wait()
    return cpu
  }

  private func send(_ bytes: Data, to peer: Int32) {
    bytes.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let count = Foundation.send(peer, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, noSignal)
        guard count > 0 else { return }
        sent += count
      }
    }
  }
}

func cpuTime(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func monotonic() -> UInt64 {
  DispatchTime.now().uptimeNanoseconds
}
