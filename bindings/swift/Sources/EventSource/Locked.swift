// A value and the lock without which it cannot be touched.

import Foundation

/// (Synchronization's Mutex would do, but asks for iOS 18.)
final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: sending Value) { self.value = value }

  @inline(__always)
  func callAsFunction<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
