// examples/tail.swift, run as a program: what the same program in other languages promises.

#if os(Linux) || os(macOS)
  import Foundation
  import XCTest

  @testable import EventSource

  final class TailTests: ServerTestCase {
    /// A tail that runs. What it prints is kept as it comes.
    private final class Tail: Sendable {
      private let process: Process
      private let printed = Locked((out: "", err: ""))

      init(_ arguments: [String]) throws {
        process = Process()
        #if os(macOS)
          let products = Bundle(for: TailTests.self).bundleURL.deletingLastPathComponent()
        #else
          let products = Bundle.main.bundleURL
        #endif
        process.executableURL = products.appendingPathComponent("tail")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let (out, err) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (out, err)
        try process.run()
        for (pipe, part) in [(out, \(out: String, err: String).out), (err, \.err)] {
          let handle = pipe.fileHandleForReading
          done.enter()
          Thread.detachNewThread { [printed, done] in
            while case let bytes = handle.availableData, !bytes.isEmpty {
              printed { $0[keyPath: part] += String(decoding: bytes, as: UTF8.self) }
            }
            done.leave()
          }
        }
      }

      private let done = DispatchGroup()

      var out: String { printed { $0.out } }
      func interrupt() { process.interrupt() }
      func terminate() { process.terminate() }

      func end() async -> (status: Int32, out: String, err: String) {
        await withCheckedContinuation { continuation in
          Thread.detachNewThread { [self] in
            process.waitUntilExit()
            done.wait()
            continuation.resume()
          }
        }
        XCTAssertEqual(process.terminationReason, .exit)
        return printed { (process.terminationStatus, $0.out, $0.err) }
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
      for end in [Tail.interrupt, Tail.terminate] {
        try server.on("/s", #"[["sse", {"body": "data: a\n\n"}, "stall"]]"#)
        let tail = try Tail(["-v", server.url("/s").absoluteString])
        try await eventually { tail.out == "message: a\n" }
        end(tail)()
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
