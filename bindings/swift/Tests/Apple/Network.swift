// As much of Apple's Network as Darwin.swift uses, by its documentation, so that that file can be compiled and run elsewhere.

import Dispatch
import Foundation

/// How the device is connected.
public struct NWPath: Sendable {
  public enum Status: Sendable { case satisfied, unsatisfied, requiresConnection }
  public var status: Status
}

/// Reports when that changes; here, when a test says so.
public final class NWPathMonitor {
  public var pathUpdateHandler: (@Sendable (NWPath) -> Void)?

  public init() {}

  public func start(queue: DispatchQueue) {
    Self.lock.withLock { Self.running.append(self) }
  }

  public func cancel() {
    Self.lock.withLock { Self.running.removeAll { $0 === self } }
  }

  // What a test does.

  private static let lock = NSLock()
  private nonisolated(unsafe) static var running: [NWPathMonitor] = []

  public static var count: Int { lock.withLock { running.count } }

  public static func report(_ status: NWPath.Status) {
    let handlers = lock.withLock { running.map(\.pathUpdateHandler) }
    for handler in handlers { handler?(NWPath(status: status)) }
  }
}
