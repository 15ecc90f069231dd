import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct DescriptorSetTests {
  @Test func `contains each descriptor once, and none after removal`() {
    var set = DescriptorSet()
    for descriptor in [Int32(3), 200, 64, 63, 3] { set.insert(descriptor) }
    #expect(Array(set) == [3, 200, 64, 63])
    #expect((-1...1000).filter { set.contains($0) } == [3, 63, 64, 200])
    set.removeAll()
    #expect(Array(set).isEmpty)
    #expect((-1...1000).filter { set.contains($0) } == [])
  }
}
