// Wrong on purpose, when asked: test.sh looks whether the sanitizers are there.

import Foundation
import XCTest

final class CanaryTests: XCTestCase {
  private final class Box { var value = 1 }
  private let canary = ProcessInfo.processInfo.environment["EVENTSOURCE_CANARY"]

  func testUseAfterFree() throws {
    try XCTSkipUnless(canary == "asan", "not asked for")
    let memory = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    memory.initialize(to: 1)
    memory.deallocate()
    XCTAssertNotEqual(memory.pointee, 1)
  }

  func testDataRace() throws {
    try XCTSkipUnless(canary == "tsan", "not asked for")
    nonisolated(unsafe) let box = Box()
    let done = DispatchSemaphore(value: 0)
    for _ in 0..<2 {
      Thread.detachNewThread {
        for _ in 0..<1000 { box.value += 1 }
        done.signal()
      }
    }
    for _ in 0..<2 { done.wait() }
    XCTAssertNotEqual(box.value, 0)
  }
}
