import Foundation
import TestSupport

/// Virtual hosts on the private broker, one for each name.
struct VirtualHosts: Sendable {
  private let prefix = "example-\(UUID().uuidString.prefix(8))"
  private let names: [String]

  /// Creates all of the virtual hosts with one call.
  init(_ names: [String]) throws {
    self.names = names
    try Broker.shared.evaluate(
      """
      [begin
         Name = list_to_binary("\(prefix)-" ++ integer_to_list(Number)),
         ok = rabbit_vhost:add(Name, <<"tests">>),
         All = <<".*">>,
         ok = rabbit_auth_backend_internal:set_permissions(<<"guest">>, Name, All, All, All, <<"tests">>)
       end || Number <- lists:seq(0, \(names.count - 1))]
      """)
  }

  /// The URL of the virtual host for this name.
  func url(_ name: String) -> String {
    let base = Broker.shared.url.prefix { $0 != "%" }
    return "\(base)\(prefix)-\(names.firstIndex(of: name) ?? 0)"
  }
}
