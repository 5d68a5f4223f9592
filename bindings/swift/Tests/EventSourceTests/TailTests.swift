// examples/tail.swift, run as a program: what the same program in other languages promises.

#if os(Linux)
  import Foundation
  import XCTest

  @testable import EventSource

  final class TailTests: ServerTestCase {
    /// A tail that runs. What it prints is kept as it comes. (Foundation's Process would do, but leaks, and its leaks could
    /// hide ours.)
    private final class Tail: Sendable {
      private let process: pid_t
      private let printed = Locked((out: "", err: ""))
      private let done = DispatchGroup()

      init(_ arguments: [String]) throws {
        let (out, err) = (try Self.pipe(), try Self.pipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, out.write, 1)
        posix_spawn_file_actions_adddup2(&actions, err.write, 2)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // As a terminal would have it: whoever runs the tests in the background ignores SIGINT, and that is inherited.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let program = Bundle.main.bundleURL.appendingPathComponent("tail").path
        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        var variables = ProcessInfo.processInfo.environment
        // A program ends when its main does, and joins no thread before.
        variables["TSAN_OPTIONS"] = "report_thread_leaks=0"
        var environment = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + environment { free(text) } }
        var process: pid_t = 0
        let spawned = posix_spawn(&process, program, &actions, &attributes, &argv, &environment)
        close(out.write)
        close(err.write)
        self.process = process
        keep(out.read, as: \.out)
        keep(err.read, as: \.err)
        guard spawned == 0 else { throw POSIXError(POSIXErrorCode(rawValue: spawned) ?? .ENOENT) }
      }

      private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Foundation.pipe(&ends) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EMFILE) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
      }

      private func keep(_ end: Int32, as part: WritableKeyPath<(out: String, err: String), String> & Sendable) {
        done.enter()
        Thread.detachNewThread { [printed, done] in
          var chunk = [UInt8](repeating: 0, count: 4096)
          while case let count = read(end, &chunk, chunk.count), count > 0 {
            printed { $0[keyPath: part] += String(decoding: chunk[..<count], as: UTF8.self) }
          }
          close(end)
          done.leave()
        }
      }

      var out: String { printed { $0.out } }
      func send(_ signal: Int32) { kill(process, signal) }

      /// A status below zero: the signal that killed it.
      func end() async -> (status: Int32, out: String, err: String) {
        let status = await withCheckedContinuation { continuation in
          Thread.detachNewThread { [process, done] in
            var status: Int32 = 0
            waitpid(process, &status, 0)
            done.wait()
            continuation.resume(returning: status)
          }
        }
        return printed { (status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f), $0.out, $0.err) }
      }
    }

    private func run(_ arguments: String...) async throws -> (status: Int32, out: String, err: String) {
      try await Tail(arguments).end()
    }

    func testItPrintsEventsAndWithVWhatHappensAroundThem() async throws {
      let server = try server
      let script =
        #"[["sse", {"body": "retry: 1\n\n: hello\nid: 7\ndata: a\ndata: b\n\nevent: tick\ndata: c\n\n"}, "fin"], [{"head": {"status": 204}}]]"#
      try server.on("/s", script)
      let quiet = try await run(server.url("/s").absoluteString)
      XCTAssertEqual(quiet.out, "message: a\nb\ntick: c\n")
      XCTAssertEqual(quiet.err, "")
      XCTAssertEqual(quiet.status, 0)

      try server.on("/s", script)
      let loud = try await run("-v", server.url("/s").absoluteString)
      XCTAssertEqual(loud.out, quiet.out)
      XCTAssertEqual(loud.status, 0)
      let lines = loud.err.split(separator: "\n")
      XCTAssertEqual(lines.count, 4, loud.err)
      XCTAssertEqual(lines.prefix(2), ["* open \(server.url("/s"))", ": hello"])
      XCTAssertTrue(lines[2].hasPrefix("* error: ") && lines[2].contains("; trying again in "), loud.err)
      XCTAssertTrue(lines[3].hasPrefix("* close: "), loud.err)
    }

    func testItSendsMethodHeadersAndBody() async throws {
      let server = try server
      try server.on("/s", #"[[{"events": "data: once\n\n"}]]"#)
      let url = server.url("/s").absoluteString
      let report = try await run(
        "-H", "X-One: 1 : 2", "-H", "Authorization:Bearer t", "-H", "X-Empty:", "-X", "REPORT", "-d", "{\"a\": 1}", url)
      XCTAssertEqual(report.out, "message: once\n")
      XCTAssertEqual(report.status, 0, report.err)
      let post = try await run("-d", "b", url)
      XCTAssertEqual(post.status, 0, post.err)
      let requests = try server.requests()
      XCTAssertEqual(requests.map(\.method), ["REPORT", "POST"])
      XCTAssertEqual(requests.map(\.body), ["{\"a\": 1}", "b"])
      XCTAssertEqual(requests[0].header("x-one"), "1 : 2")
      XCTAssertEqual(requests[0].header("authorization"), "Bearer t")
      XCTAssertEqual(requests[0].header("x-empty"), "")
    }

    func testItResumesAndEndsWhenTheServerSaysSo() async throws {
      let tail = try await run(server.url("/resume?every=2&total=5&retry=1").absoluteString)
      XCTAssertEqual(tail.out, (1...5).map { "message: \($0)\n" }.joined())
      XCTAssertEqual(tail.status, 0, tail.err)
    }

    func testItEndsCleanlyOnASignal() async throws {
      let server = try server
      for signal in [SIGINT, SIGTERM] {
        try server.on("/s", #"[["sse", {"body": "data: a\n\n"}, "stall"]]"#)
        let tail = try Tail(["-v", server.url("/s").absoluteString])
        try await eventually { tail.out == "message: a\n" }
        tail.send(signal)
        let ended = await tail.end()
        XCTAssertEqual(ended.out, "message: a\n")
        XCTAssertEqual(ended.status, 0, ended.err)
        XCTAssertTrue(ended.err.split(separator: "\n").last?.hasPrefix("* close: ") == true, ended.err)
      }
      try await server.noneOpen()
      XCTAssertEqual(try server.requests().count, 2)
    }

    func testItSaysHowItFailed() async throws {
      let server = try server
      let url = server.url("/none").absoluteString
      let refused = try await run(url)
      XCTAssertEqual(refused.status, 1)
      XCTAssertEqual(refused.out, "")
      XCTAssertTrue(refused.err.hasPrefix("tail: ") && refused.err.contains("404"), refused.err)
      for wrong in [
        [], ["-x", url], ["-H"], ["-H", "x", url], ["-H", "Host: x", url], ["ftp://x/"], ["http://"], [""], [url, url],
        ["-X", "TRACE", url],
      ] {
        let tail = try await Tail(wrong).end()
        XCTAssertEqual(tail.status, 2, "\(wrong)")
        XCTAssertEqual(tail.out, "", "\(wrong)")
        XCTAssertTrue(tail.err.hasPrefix("tail: "), "\(wrong): \(tail.err)")
      }
      XCTAssertEqual(try server.requests().count, 1)
    }
  }
#endif
