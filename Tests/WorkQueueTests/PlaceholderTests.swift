import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct PlaceholderTests {
  private func replaced(_ arguments: [String], _ body: String) -> [String] {
    Placeholders.replaced(in: arguments.map { Array($0.utf8) }, by: Array(body.utf8))
      .map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [
    ("{}", "a/b.jpg"), ("{/}", "b.jpg"), ("{.}", "a/b"), ("{/.}", "b"), ("small-{/}", "small-b.jpg"),
    ("{}{}", "a/b.jpga/b.jpg"), ("{.}.png", "a/b.png"), ("{", "{"), ("{x}", "{x}"), ("{/", "{/"),
    ("{{}}", "{a/b.jpg}"),
    ("", ""),
  ])
  func `replaces placeholders anywhere in an argument with parts of the body`(
    argument: String, result: String
  ) {
    #expect(replaced(["x", argument], "a/b.jpg") == ["x", result])
  }

  @Test(
    arguments: [
      ("b", "b", "b", "b"), ("a/b", "b", "a/b", "b"), ("a.d/b", "b", "a.d/b", "b"),
      (".rc", ".rc", ".rc", ".rc"),
      ("a/.rc.old", ".rc.old", "a/.rc", ".rc"), ("x.tar.gz", "x.tar.gz", "x.tar", "x.tar"),
      ("/", "/", "/", "/"),
      ("a/b.c/", "b.c", "a/b", "b"), ("/a", "a", "/a", "a"), ("", "", "", ""),
      ("a b.c", "a b.c", "a b", "a b"),
      ("-x", "-x", "-x", "-x"), ("b.", "b.", "b", "b"),
    ].map { [$0.0, $0.1, $0.2, $0.3] })
  func `replaces path placeholders with the base name and the stem of any path`(parts: [String]) {
    #expect(replaced(["x", "{}", "{/}", "{.}", "{/.}"], parts[0]) == ["x"] + parts)
  }

  @Test func `drops one final newline, and replaces neither the program nor inserted text`() {
    #expect(replaced(["{}", "{}"], "a\n") == ["{}", "a"])
    #expect(replaced(["x", "{}"], "a\n\n") == ["x", "a\n"])
    #expect(replaced(["x", "{}{/}"], "{/}") == ["x", "{/}}"])
  }
}
