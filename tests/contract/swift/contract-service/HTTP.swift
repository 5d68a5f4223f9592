// As much of an HTTP server as the protocol needs: one request a connection, on loopback, bodies with a Content-Length.

import Foundation

#if canImport(Darwin)
  let streamSocket = SOCK_STREAM
#else
  let streamSocket = Int32(SOCK_STREAM.rawValue)
#endif

struct Request: Sendable {
  var method: String
  var path: String
  var body: Data
}

struct Response: Sendable {
  var status: Int
  var headers: [String: String] = [:]
  var body = Data()
  /// What is done once it has been sent.
  var after: @Sendable () -> Void = {}
}

struct Listener {
  let port: UInt16
  private let socket: Int32

  /// Port 0: one that is free.
  init(port: UInt16) throws {
    socket = Foundation.socket(AF_INET, streamSocket, 0)
    var on: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout.size(ofValue: on)))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listening = withUnsafeMutablePointer(to: &address) { [socket] in
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && listen(socket, 64) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard listening else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    self.port = UInt16(bigEndian: address.sin_port)
  }

  /// Answers each connection on a thread of its own, for ever.
  func serve(_ answer: @escaping @Sendable (Request) -> Response) {
    while true {
      let peer = accept(socket, nil, nil)
      guard peer >= 0 else { continue }
      Thread.detachNewThread {
        defer { close(peer) }
        guard let request = Self.read(peer) else { return }
        let response = answer(request)
        Self.write(response, to: peer)
        response.after()
      }
    }
  }

  private static func read(_ peer: Int32) -> Request? {
    var bytes = Data()
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    func more() -> Bool {
      let count = recv(peer, &chunk, chunk.count, 0)
      guard count > 0 else { return false }
      bytes.append(contentsOf: chunk[..<count])
      return true
    }
    var end: Range<Data.Index>?
    repeat {
      end = bytes.range(of: Data("\r\n\r\n".utf8))
    } while end == nil && more()
    guard let end else { return nil }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count == 3 else { return nil }
    let length =
      lines.lazy.compactMap { line -> Int? in
        let field = line.split(separator: ":", maxSplits: 1)
        guard field.count == 2, field[0].lowercased() == "content-length" else { return nil }
        return Int(field[1].trimmingCharacters(in: .whitespaces))
      }.first ?? 0
    while bytes.count < end.upperBound + length { guard more() else { return nil } }
    return Request(
      method: String(words[0]), path: String(words[1]), body: Data(bytes[end.upperBound...].prefix(length)))
  }

  private static func write(_ response: Response, to peer: Int32) {
    var head = "HTTP/1.1 \(response.status) \(response.status < 300 ? "OK" : "No")\r\n"
    for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
    head += "Content-Length: \(response.body.count)\r\nConnection: close\r\n\r\n"
    var bytes = Data(head.utf8) + response.body
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { send(peer, $0.baseAddress, $0.count, noSignal) }
      guard count > 0 else { return }
      bytes.removeFirst(count)
    }
  }
}

#if canImport(Darwin)
  private let noSignal: Int32 = 0
#else
  private let noSignal = Int32(MSG_NOSIGNAL)
#endif
